package analytics

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// yields has all of a process run only while nobody else wants its processor, or as any other:
// then, where the system does not permit that, it stays as it is. What yields is of the policy
// SCHED_IDLE, which whoever wakes up takes a processor from at once, while what is but nice
// first uses up its slice; reads and writes of it are of the idle class too. The policy is
// that of single threads, and those that one makes are as it is.
//
// See https://man7.org/linux/man-pages/man7/sched.7.html and
// https://man7.org/linux/man-pages/man2/ioprio_set.2.html.
func yields(process int, on bool) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}
	if on {
		attr = unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE, Nice: lowest}
	}
	done := map[string]bool{}
	for {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", process))
		if err != nil {
			return err
		}
		found := false
		for _, path := range threads {
			if done[path] {
				continue
			}
			found, done[path] = true, true
			thread, err := strconv.Atoi(filepath.Base(path))
			if err != nil {
				return err
			}
			if err := unix.SchedSetAttr(thread, &attr, 0); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
		if !found { // whatever is made now is made by one that is as it should be
			return nil
		}
	}
}
