#include <pwd.h>
#include <stdio.h>
int main(){ struct passwd*p=getpwnam("www-data"); puts(p?"user ok":"no such user"); return !p; }
