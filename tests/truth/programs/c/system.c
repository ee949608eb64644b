// needs: shell
#include <stdio.h>
#include <stdlib.h>

int main(void) {
	int status = system("echo from the shell");
	printf("%d\n", status);
	return status != 0;
}
