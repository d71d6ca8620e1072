// Go's pkg/sftp. Arguments: port, login, key file, what to do, with what.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"path"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

func main() {
	port, login, key, act, one, other := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6]
	text, err := os.ReadFile(key)
	check(err)
	signer, err := ssh.ParsePrivateKey(text)
	check(err)
	connection, err := ssh.Dial("tcp", "127.0.0.1:"+port, &ssh.ClientConfig{
		User:            login,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	check(err)
	client, err := sftp.NewClient(connection)
	check(err)
	switch act {
	case "list":
		for _, entry := range list(client, one) {
			fmt.Println(entry.Name())
		}
	case "stat":
		entry, err := client.Stat(one)
		check(err)
		fmt.Println(entry.Size())
	case "get":
		get(client, one, other)
	case "folder":
		for _, entry := range list(client, one) {
			get(client, path.Join(one, entry.Name()), path.Join(other, entry.Name()))
		}
	case "resume":
		local, err := os.OpenFile(other, os.O_WRONLY|os.O_APPEND, 0)
		check(err)
		have, err := local.Seek(0, io.SeekEnd)
		check(err)
		remote, err := client.Open(one)
		check(err)
		_, err = remote.Seek(have, io.SeekStart)
		check(err)
		carry(local, remote)
	case "put":
		local, err := os.Open(one)
		check(err)
		remote, err := client.Create(other)
		check(err)
		carry(remote, local)
	case "reput":
		local, err := os.Open(one)
		check(err)
		remote, err := client.OpenFile(other, os.O_WRONLY)
		check(err)
		have, err := remote.Seek(0, io.SeekEnd)
		check(err)
		_, err = local.Seek(have, io.SeekStart)
		check(err)
		carry(remote, local)
	case "rename":
		check(client.Rename(one, other))
	case "replace":
		check(client.PosixRename(one, other))
	case "remove":
		check(client.Remove(one))
	case "fetch-remove":
		get(client, one, "fetched.xml")
		check(client.Remove(one))
	case "fetch-rename":
		get(client, one, "fetched.xml")
		check(client.Rename(one, other))
	}
	check(client.Close())
	check(connection.Close())
}

func list(client *sftp.Client, folder string) []os.FileInfo {
	entries, err := client.ReadDir(folder)
	check(err)
	return entries
}

func get(client *sftp.Client, file, to string) {
	remote, err := client.Open(file)
	check(err)
	local, err := os.Create(to)
	check(err)
	carry(local, remote)
}

func carry(to io.WriteCloser, from io.ReadCloser) {
	_, err := io.Copy(to, from)
	check(err)
	check(to.Close())
	check(from.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
