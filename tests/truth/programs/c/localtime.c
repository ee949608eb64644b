// needs:
// asks: tz
#include <stdio.h>
#include <time.h>

int main(void) {
	time_t then = 0;
	struct tm *found = localtime(&then);
	printf("%d %s\n", found->tm_hour, found->tm_zone);
	return 0;
}
