// Starts a program that is no shell.
// needs:
package main

import (
	"fmt"
	"os/exec"
)

func main() { fmt.Println(exec.Command("/usr/bin/true").Run()) }
