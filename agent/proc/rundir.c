/* agent/proc/rundir.c: a lock file and a socket. */
#include "proc/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

int
rundir_lock(const char *run_dir)
{
	char path[512];
	int fd, rc, n = snprintf(path, sizeof path, "%s/camtrapd.lock", run_dir);

	if (n < 0 || (size_t)n >= sizeof path)
		return -ENAMETOOLONG;
	if (mkdir(run_dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640)) < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

int
rundir_listen(const char *run_dir, char path[static SOCKET_PATH])
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, rc, n = snprintf(path, SOCKET_PATH, "%s/control.sock", run_dir);

	if (n < 0 || (size_t)n >= SOCKET_PATH)
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, (size_t)n + 1);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);		/* of a daemon that ended: a living one has the lock */
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&un, sizeof un) < 0 || chmod(path, 0660) < 0 || listen(fd, BACKLOG) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}
