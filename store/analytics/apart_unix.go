//go:build unix

package analytics

import (
	"os"
	"os/exec"
	"syscall"
)

// lowest is the priority of what yields to everything else.
const lowest = 19

// grouped has a process be in a group of its own, so that it does not get signals that are
// for the server.
func grouped(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// pause has a process of grouped do nothing until resume. When the server ends, the system
// wakes groups of processes that have no parent any more.
//
// See https://pubs.opengroup.org/onlinepubs/9799919799/functions/_Exit.html.
func pause(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
