//go:build linux || darwin

package blob

import "syscall"

// freeBytes returns how many bytes this process may still write to the disk of a folder,
// below 0 when that is not known.
func freeBytes(dir string) int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return -1
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
