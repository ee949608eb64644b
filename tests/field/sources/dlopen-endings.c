#include <dlfcn.h>
#include <stdio.h>
/* As Nim has them: of the endings the first that is there is opened. The second library needs the first. */
const char *const names[] = {"libcrypto.so(.3|.1.1|)", "libssl.so(.3|.1.1|)"};
int main(void) {
  int ok = dlopen("libcrypto.so.3", RTLD_NOW) && dlopen("libssl.so.3", RTLD_NOW);
  printf("%s %s\n", ok ? "both opened" : dlerror(), names[0]);
  return !ok;
}
