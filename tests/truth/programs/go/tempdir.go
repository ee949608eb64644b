// Names the directory and makes nothing there.
// needs:
package main

import (
	"fmt"
	"os"
)

func main() { fmt.Println(os.TempDir()) }
