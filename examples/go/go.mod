module example.org/lock

go 1.19
