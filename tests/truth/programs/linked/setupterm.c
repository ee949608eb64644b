// libraries: ncurses
// needs: terminfo
#include <stdio.h>
#include <curses.h>
#include <term.h>

int main(void) {
	int why;
	if (setupterm(0, 1, &why) == OK)
		return puts("known terminal") < 0;
	return puts("unknown terminal") < 0 || 1;
}
