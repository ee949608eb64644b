#include <curses.h>
#include <term.h>
#include <stdio.h>
int main(){ int e; printf("%d\n", setupterm("xterm",1,&e)); }
