// needs: shell
#include <stdio.h>

int main(void) {
	char line[64];
	FILE *stream = popen("echo from the shell", "r");
	return !stream || !fgets(line, sizeof line, stream) || puts(line) < 0;
}
