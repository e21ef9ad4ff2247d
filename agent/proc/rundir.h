/* agent/proc/rundir.h: what the parent holds in run_dir: the lock that keeps a second daemon out, and the control socket, which
 * stays open while views is replaced, so that the kernel keeps who connects meanwhile. */
#ifndef CAMTRAPD_RUNDIR_H
#define CAMTRAPD_RUNDIR_H

#define SOCKET_PATH 108			/* sockaddr_un.sun_path */

/* A descriptor that holds the lock until it is closed (by the kernel, too). -EWOULDBLOCK: another daemon has it; or another
 * negative errno-like code. */
int	rundir_lock(const char *run_dir);
/* A listening, nonblocking descriptor at RUN_DIR/control.sock, mode 0660 and of the group of the process; what an ended daemon left
 * there is replaced. The lock must be held. A negative errno-like code: *path says where. */
int	rundir_listen(const char *run_dir, char path[static SOCKET_PATH]);
#endif
