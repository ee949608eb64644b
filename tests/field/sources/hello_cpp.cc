#include <iostream>
#include <locale>
#include <thread>
int main(){ std::locale::global(std::locale("")); std::thread t([]{std::cout<<"hi\n";}); t.join(); }
