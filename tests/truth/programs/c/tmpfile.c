// needs: tmp
#include <stdio.h>

int main(void) {
	FILE *file = tmpfile();
	if (!file)
		perror("tmpfile");
	return !file;
}
