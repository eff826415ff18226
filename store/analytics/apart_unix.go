//go:build unix

package analytics

import (
	"os/exec"
	"syscall"
)

// lowest is the priority of what yields to everything else.
const lowest = 19

// yields has a process be in a group of its own, so that it does not get signals that are
// for the server.
func yields(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// Yield gives this process, and its group, the lowest priority.
//
// See https://man7.org/linux/man-pages/man2/setpriority.2.html.
func Yield() error { return syscall.Setpriority(syscall.PRIO_PGRP, 0, lowest) }
