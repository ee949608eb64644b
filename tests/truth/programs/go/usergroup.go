// needs: group
package main

import (
	"fmt"
	"os"
	"os/user"
)

func main() {
	found, err := user.LookupGroup(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(found.Gid)
}
