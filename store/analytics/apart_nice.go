//go:build unix && !linux

package analytics

import "syscall"

// yields gives a process of this user the lowest priority, or that of any other, where the
// system permits it.
//
// See https://pubs.opengroup.org/onlinepubs/9799919799/functions/getpriority.html.
func yields(process int, on bool) error {
	priority := 0
	if on {
		priority = lowest
	}
	return syscall.Setpriority(syscall.PRIO_PROCESS, process, priority)
}
