module example.org/go-https

go 1.21
