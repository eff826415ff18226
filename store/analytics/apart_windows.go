package analytics

import (
	"errors"
	"os"
	"os/exec"

	"golang.org/x/sys/windows"
)

func grouped(*exec.Cmd) {}

// pause does nothing: there is no such thing here.
func pause(*os.Process) error { return nil }

func resume(*os.Process) error { return nil }

// yields has a process run only while nobody else wants its processor, or as any other.
//
// See https://learn.microsoft.com/en-us/windows/win32/api/processthreadsapi/nf-processthreadsapi-setpriorityclass.
func yields(process int, on bool) (err error) {
	h, err := windows.OpenProcess(windows.PROCESS_SET_INFORMATION, false, uint32(process))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, windows.CloseHandle(h)) }()
	var class uint32 = windows.NORMAL_PRIORITY_CLASS
	if on {
		class = windows.IDLE_PRIORITY_CLASS
	}
	return windows.SetPriorityClass(h, class)
}
