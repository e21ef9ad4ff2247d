/* agent/proc/sd_notify.c: one datagram per call; a failure is logged and changes nothing. */
#include "proc/sd_notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"

static struct { struct sockaddr_un to; socklen_t len; int64_t watchdog_ms; } sd;

void
sd_init(void)
{
	const char *name = getenv("NOTIFY_SOCKET"), *watchdog = getenv("WATCHDOG_USEC");
	size_t n = name != NULL ? strlen(name) : 0;
	uint64_t us;

	sd.to.sun_family = AF_UNIX;
	if (n >= 2 && n < sizeof sd.to.sun_path) {
		memcpy(sd.to.sun_path, name, n);
		if (name[0] == '@')		/* an abstract name; it ends where its length says */
			sd.to.sun_path[0] = '\0';
		sd.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	}
	if (watchdog != NULL && num_parse(watchdog, 1000, UINT32_MAX * UINT64_C(1000), &us) == 0)
		sd.watchdog_ms = (int64_t)(us / 1000);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void
sd_say(const char *lines)
{
	struct timeval patience = { 1, 0 };	/* READY=1 is worth waiting for, but a systemd that hangs must not hang us */
	int fd;

	if (sd.len == 0)
		return;
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0
	    || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0
	    || sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (const struct sockaddr *)&sd.to, sd.len) < 0)
		log_warn("sd_notify");
	if (fd >= 0)
		close(fd);
}

void
sd_status(const char *fmt, ...)
{
	char line[400] = "STATUS=";
	size_t n = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + n, sizeof line - n, fmt, ap);
	va_end(ap);
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			*p = '?';
	sd_say(line);
}

int64_t
sd_watchdog_ms(void)
{
	return sd.watchdog_ms;
}
