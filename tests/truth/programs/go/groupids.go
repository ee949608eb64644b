// needs: passwd group
package main

import (
	"fmt"
	"os"
	"os/user"
)

func main() {
	found, err := user.Lookup(os.Args[1])
	if err == nil {
		fmt.Println(found.GroupIds())
	}
}
