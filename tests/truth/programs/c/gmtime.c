// needs:
#include <stdio.h>
#include <time.h>

int main(void) {
	time_t now = time(0);
	char text[64];
	strftime(text, sizeof text, "%F", gmtime(&now));
	return puts(text) < 0;
}
