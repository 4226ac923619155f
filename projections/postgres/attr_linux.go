package postgres

import "syscall"

// childAttr puts a child in its own process group, so that a Ctrl-C on the
// terminal reaches us alone, and has the kernel stop it when we are killed.
func childAttr(u user) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
	if u.other {
		attr.Credential = &syscall.Credential{Uid: u.uid, Gid: u.gid}
	}
	return attr
}
