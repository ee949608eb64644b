"""Writes versions.c and versions.map: a program with 65 versions of one symbol name, as Crystal's debug builds have."""

N = 65
with open("versions.c", "w") as c, open("versions.map", "w") as m:
    for i in range(N):
        c.write(f'__asm__(".globl f{i}\\n.type f{i},@function\\nf{i}: ret\\n.symver f{i},dup@V{i}\\n");\n')
        m.write(f"V{i} {{}};\n")
    c.write("int main(void) { return 0; }\n")
# gcc -rdynamic versions.c -Wl,--version-script=versions.map -o versions
