package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// attempt is one thing to try. What the members mean depends on Kind.
type attempt struct {
	Kind string `json:"kind"`
	// Address is host:port of tcp, udp and http, and the name server of dns.
	Address string `json:"address,omitempty"`
	// Name is what dns asks for, the path of write and read, the name of a system call, the kind of a socket.
	Name string `json:"name,omitempty"`
	// Network is udp or tcp, of dns.
	Network string `json:"network,omitempty"`
	// Millis is how long to wait for an answer.
	Millis int `json:"millis,omitempty"`
}

// outcome says whether it worked, and how it did or didn't: what was answered, or the error's name.
type outcome struct {
	Worked bool   `json:"worked"`
	How    string `json:"how"`
	Millis int64  `json:"millis"`
}

func (a attempt) patience() time.Duration {
	if a.Millis > 0 {
		return time.Duration(a.Millis) * time.Millisecond
	}
	return 2 * time.Second
}

// nameOf is the error as the tests see it: the errno's name, or timeout.
func nameOf(err error) string {
	var errno syscall.Errno
	var netErr net.Error
	switch {
	case errors.As(err, &errno):
		return errnoName(errno)
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	}
	return err.Error()
}

func errnoName(errno syscall.Errno) string {
	names := map[syscall.Errno]string{
		syscall.ECONNREFUSED: "ECONNREFUSED", syscall.EHOSTUNREACH: "EHOSTUNREACH", syscall.ENETUNREACH: "ENETUNREACH",
		syscall.EPERM: "EPERM", syscall.EACCES: "EACCES", syscall.EROFS: "EROFS", syscall.ENOENT: "ENOENT", syscall.ENOSYS: "ENOSYS",
		syscall.EAFNOSUPPORT: "EAFNOSUPPORT", syscall.EADDRNOTAVAIL: "EADDRNOTAVAIL", syscall.EINVAL: "EINVAL", syscall.EAGAIN: "EAGAIN",
		syscall.ENOMEM: "ENOMEM", syscall.ENOSPC: "ENOSPC", syscall.EPROTONOSUPPORT: "EPROTONOSUPPORT", syscall.ECONNRESET: "ECONNRESET",
	}
	if name, known := names[errno]; known {
		return name
	}
	return fmt.Sprintf("errno %d", int(errno))
}

func (a attempt) try() outcome {
	begun := time.Now()
	how, err := a.once()
	result := outcome{Worked: err == nil, How: how, Millis: time.Since(begun).Milliseconds()}
	if err != nil {
		result.How = nameOf(err)
	}
	return result
}

func (a attempt) once() (string, error) {
	switch a.Kind {
	case "tcp":
		connection, err := net.DialTimeout("tcp", a.Address, a.patience())
		if err != nil {
			return "", err
		}
		return "connected", connection.Close()
	case "udp":
		return a.udp()
	case "dns":
		return a.dns()
	case "http":
		return a.http()
	case "write":
		file, err := os.OpenFile(a.Name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return "", err
		}
		// That it opens is what counts: the kernel's own files can't be removed.
		os.Remove(a.Name)
		return "opened", file.Close()
	case "read":
		info, err := os.Stat(a.Name)
		if err != nil {
			return "", err
		}
		// Neither can be read as a file, so it is tried as what it is.
		if info.IsDir() {
			entries, err := os.ReadDir(a.Name)
			return fmt.Sprintf("%d entries", len(entries)), err
		}
		if info.Mode()&os.ModeSocket != 0 {
			connection, err := net.DialTimeout("unix", a.Name, a.patience())
			if err != nil {
				return "", err
			}
			return "connected", connection.Close()
		}
		file, err := os.Open(a.Name)
		if err != nil {
			return "", err
		}
		defer file.Close()
		content := make([]byte, 200)
		n, err := file.Read(content)
		if err == io.EOF {
			err = nil
		}
		return string(content[:n]), err
	case "socket":
		return openSocket(a.Name)
	case "syscall":
		return call(a.Name)
	}
	return "", fmt.Errorf("unknown attempt: %s", a.Kind)
}

// udp sends a datagram and waits for whatever comes back.
func (a attempt) udp() (string, error) {
	connection, err := net.DialTimeout("udp", a.Address, a.patience())
	if err != nil {
		return "", err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(a.patience())); err != nil {
		return "", err
	}
	if _, err := connection.Write([]byte("who is there?")); err != nil {
		return "", err
	}
	answer := make([]byte, 500)
	n, err := connection.Read(answer)
	return string(answer[:n]), err
}

func (a attempt) dns() (string, error) {
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, a.Network, a.Address)
	}}
	ctx, cancel := context.WithTimeout(context.Background(), a.patience())
	defer cancel()
	addresses, err := resolver.LookupHost(ctx, a.Name)
	return fmt.Sprint(addresses), err
}

func (a attempt) http() (string, error) {
	client := &http.Client{Timeout: a.patience()}
	response, err := client.Get("http://" + a.Address)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 500))
	return fmt.Sprintf("%d %s", response.StatusCode, body), err
}

func run(argument string) {
	var attempts []attempt
	decode(argument, &attempts)
	outcomes := make([]outcome, len(attempts))
	var all sync.WaitGroup
	for i, one := range attempts {
		all.Go(func() { outcomes[i] = one.try() })
	}
	all.Wait()
	for _, one := range outcomes {
		printLine(one)
	}
}

// early tries each address in turn as often as it can. A connection that once opened says how soon it did.
func early(argument string) {
	var asked struct {
		Addresses []string `json:"addresses"`
		ForMillis int      `json:"forMillis"`
		Into      string   `json:"into"`
	}
	begun := time.Now()
	decode(argument, &asked)
	type seen struct {
		Address  string `json:"address"`
		Tries    int    `json:"tries"`
		Opened   int    `json:"opened"`
		FirstAt  int64  `json:"firstAt"`
		LastAt   int64  `json:"lastAt"`
		Survived bool   `json:"survived"`
	}
	results := make([]seen, len(asked.Addresses))
	var all sync.WaitGroup
	for i, address := range asked.Addresses {
		all.Go(func() {
			one := seen{Address: address, FirstAt: -1, LastAt: -1}
			var first net.Conn
			for time.Since(begun).Milliseconds() < int64(asked.ForMillis) {
				one.Tries++
				connection, err := net.DialTimeout("tcp", address, 50*time.Millisecond)
				if err == nil {
					at := time.Since(begun).Milliseconds()
					one.Opened++
					one.LastAt = at
					if first == nil {
						one.FirstAt, first = at, connection
					} else {
						connection.Close()
					}
				}
				time.Sleep(time.Millisecond)
			}
			if first != nil {
				one.Survived = answersStill(first)
			}
			results[i] = one
		})
	}
	all.Wait()
	if asked.Into == "" {
		printLine(results)
		return
	}
	file, err := os.Create(asked.Into)
	if err != nil {
		fail(err)
	}
	os.Stdout = file
	printLine(results)
}

// answersStill asks the server on the other end of an open connection for a line.
func answersStill(connection net.Conn) bool {
	_ = connection.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := connection.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		return false
	}
	_, err := connection.Read(make([]byte, 1))
	return err == nil
}
