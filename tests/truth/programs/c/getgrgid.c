// needs: group
#include <grp.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
	struct group *found = getgrgid(getgid());
	puts(found ? found->gr_name : "no such group");
	return !found;
}
