// needs:
#include <filesystem>
#include <iostream>

int main() { std::cout << std::filesystem::temp_directory_path() << '\n'; }
