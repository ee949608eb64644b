// needs:
#include <syslog.h>

int main(void) {
	syslog(LOG_INFO, "hello");
	return 0;
}
