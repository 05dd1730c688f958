package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

const (
	ethPAll = 0x0300 // ETH_P_ALL in network order
	newUser = 0x10000000
	newNet  = 0x40000000
	newNS   = 0x00020000
	// Two that are younger than package syscall; the numbers are amd64's.
	bpf    = 321
	userFD = 323
)

// openSocket opens one of a kind and says that it could.
func openSocket(kind string) (string, error) {
	kinds := map[string][3]int{
		"raw icmp":   {syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP},
		"raw tcp":    {syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_TCP},
		"raw ipv6":   {syscall.AF_INET6, syscall.SOCK_RAW, 58},
		"packet":     {syscall.AF_PACKET, syscall.SOCK_RAW, ethPAll},
		"packet udp": {syscall.AF_PACKET, syscall.SOCK_DGRAM, ethPAll},
		"vsock":      {40, syscall.SOCK_STREAM, 0},
		"tcp":        {syscall.AF_INET, syscall.SOCK_STREAM, 0},
	}
	asked, known := kinds[kind]
	if !known {
		return "", fmt.Errorf("unknown socket: %s", kind)
	}
	fd, err := syscall.Socket(asked[0], asked[1], asked[2])
	if err != nil {
		return "", err
	}
	return "opened", syscall.Close(fd)
}

func raw(number uintptr, a, b, c uintptr) error {
	if _, _, errno := syscall.RawSyscall(number, a, b, c); errno != 0 {
		return errno
	}
	return nil
}

// calls are tries at more than a process of this user should have. Those that would change this very process (setuid,
// unshare, chroot) are made by a copy of it, see call.
var calls = map[string]func() error{
	"setuid 0":        func() error { return syscall.Setuid(0) },
	"setgid 0":        func() error { return syscall.Setgid(0) },
	"mount":           func() error { return syscall.Mount("none", "/tmp", "tmpfs", 0, "") },
	"remount root":    remountRoot,
	"unshare user":    func() error { return syscall.Unshare(newUser) },
	"unshare net":     func() error { return syscall.Unshare(newNet) },
	"unshare mount":   func() error { return syscall.Unshare(newNS) },
	"chroot":          func() error { return syscall.Chroot("/tmp") },
	"sethostname":     func() error { return syscall.Sethostname([]byte("other")) },
	"mknod":           func() error { return syscall.Mknod("/tmp/device", syscall.S_IFBLK|0o600, 0) },
	"reboot":          func() error { return syscall.Reboot(syscall.LINUX_REBOOT_CMD_CAD_OFF) },
	"swapoff":         func() error { return raw(syscall.SYS_SWAPOFF, uintptr(unsafe.Pointer(&[]byte("/none\x00")[0])), 0, 0) },
	"set clock":       setClock,
	"init_module":     func() error { return raw(syscall.SYS_INIT_MODULE, 0, 0, 0) },
	"pivot_root":      func() error { return raw(syscall.SYS_PIVOT_ROOT, 0, 0, 0) },
	"bpf":             func() error { return raw(bpf, 5, 0, 0) },
	"perf_event_open": func() error { return raw(syscall.SYS_PERF_EVENT_OPEN, 0, 0, 0) },
	"add_key":         addKey,
	"userfaultfd":     func() error { return raw(userFD, 0, 0, 0) },
	"nice below zero": func() error { return syscall.Setpriority(syscall.PRIO_PROCESS, 0, -10) },
	"kill a stranger": func() error { return killStranger() },
}

// remountRoot undoes a read-only root, of this mount in this namespace alone.
func remountRoot() error { return syscall.Mount("", "/", "", syscall.MS_REMOUNT|syscall.MS_BIND, "") }

// setClock sets it to no time at all: the kernel asks for the right to, and changes nothing.
func setClock() error { return raw(syscall.SYS_SETTIMEOFDAY, 0, 0, 0) }

// addKey puts a key into the session's keyring.
func addKey() error {
	kind, name, session := []byte("user\x00"), []byte("probe\x00"), -3
	_, _, errno := syscall.RawSyscall6(syscall.SYS_ADD_KEY, uintptr(unsafe.Pointer(&kind[0])), uintptr(unsafe.Pointer(&name[0])),
		uintptr(unsafe.Pointer(&name[0])), 1, uintptr(session), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// killStranger looks for a process that isn't this container's own: there is none to be seen.
func killStranger() error {
	for pid := 2; pid < 400_000; pid++ {
		if syscall.Kill(pid, 0) == syscall.EPERM {
			return nil
		}
	}
	return syscall.ENOENT
}

func call(name string) (string, error) {
	try, known := calls[name]
	if !known {
		return "", fmt.Errorf("unknown call: %s", name)
	}
	if os.Getenv("PROBE_CALL") != name {
		return again(name)
	}
	return "done", try()
}

// again runs the call in a copy of this program, which may be another one after it.
func again(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return "", err
	}
	process, err := os.StartProcess(self, []string{self, "run", fmt.Sprintf(`[{"kind":"syscall","name":%q}]`, name)}, &os.ProcAttr{
		Env:   []string{"PROBE_CALL=" + name},
		Files: []*os.File{nil, write, os.Stderr},
	})
	if err != nil {
		return "", err
	}
	write.Close()
	line := make([]byte, 500)
	n, _ := read.Read(line)
	if _, err := process.Wait(); err != nil {
		return "", err
	}
	var result outcome
	decode(string(line[:n]), &result)
	if !result.Worked {
		return "", errors.New(result.How)
	}
	return result.How, nil
}
