// The template is in /tmp, which the name of the function does not tell.
// needs: tmp
#include <stdio.h>
#include <stdlib.h>

int main(void) {
	char name[] = "/tmp/truthXXXXXX";
	int file = mkstemp(name);
	if (file < 0)
		perror(name);
	return file < 0;
}
