/* agent/client/client.c: one connection per question; waits at most 70 s between two pieces of an answer. */
#include "client/client.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/num.h"
#include "base/text.h"
#include "config/conf.h"

#define SILENT_MS 70000
#define SOCKET_DEFAULT "/run/camtrapd/control.sock"

int
client_socket(const char *socket, const char *conf_path, char out[static SOCKET_PATH_MAX], size_t *mistakes)
{
	char *run_dir = NULL;
	int n;

	*mistakes = 0;
	if (socket == NULL)
		run_dir = conf_run_dir(conf_path != NULL ? conf_path : CONF_DEFAULT, mistakes);
	if (run_dir == NULL && socket == NULL && conf_path != NULL)
		return -ENOENT;
	if (run_dir != NULL)
		n = snprintf(out, SOCKET_PATH_MAX, "%s/control.sock", run_dir);
	else
		n = snprintf(out, SOCKET_PATH_MAX, "%s", socket != NULL ? socket : SOCKET_DEFAULT);
	free(run_dir);
	return n >= 0 && n < SOCKET_PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* A connected descriptor, or a negative errno-like code. */
static int
connect_to(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, rc;

	assert(path != NULL);
	if (strlen(path) >= sizeof un.sun_path)
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, strlen(path) + 1);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&un, sizeof un) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static int
send_line(int fd, const char *line)
{
	struct buf b = { 0 };
	int rc = 0;

	put_bytes(&b, line, strlen(line));
	put_u8(&b, '\n');
	for (size_t at = 0; !b.bad && at < b.len;) {
		ssize_t n = send(fd, b.p + at, b.len - at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = -errno;
			break;
		}
		at += (size_t)n;
	}
	if (b.bad)
		rc = -ENOMEM;
	buf_free(&b);
	return rc;
}

/* To the end of the connection. */
static int
read_all(int fd, struct buf *out)
{
	static char piece[65536];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int rc = poll(&p, 1, SILENT_MS);
		ssize_t n;

		if (rc < 0 && errno == EINTR)
			continue;
		if (rc <= 0)
			return rc == 0 ? -ETIMEDOUT : -errno;
		n = recv(fd, piece, sizeof piece, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : -errno;
		put_bytes(out, piece, (size_t)n);
		if (out->bad)
			return -ENOMEM;
	}
}

/* What the daemon's words mean for the exit code. */
static int
status_of_error(const char *text)
{
	static const struct { const char *start; int status; } known[] = {
		{ "the engine does not answer", EXIT_NO_DAEMON }, { "the store is not there", EXIT_NO_DAEMON }, { "no such", EXIT_NOTHING },
		{ "no poll ended", EXIT_PARTIAL }, { "the store cannot be read", EXIT_PARTIAL }, { "out of memory", EXIT_PARTIAL },
		{ "bad request", EXIT_USAGE },
	};

	for (size_t i = 0; i < nitems(known); i++)
		if (strncmp(text, known[i].start, strlen(known[i].start)) == 0)
			return known[i].status;
	return EXIT_REFUSED;
}

static json_t *
document_checked(const struct buf *in, int *status, char why[static WHY_MAX])
{
	json_t *doc = json_loadb((const char *)in->p, in->len, 0, NULL), *error;

	if (doc == NULL) {
		snprintf(why, WHY_MAX, "the answer of the daemon is not whole (%zu octets)", in->len);
		*status = EXIT_PARTIAL;
		return NULL;
	}
	error = json_object_get(doc, "error");
	if (json_is_string(error) && json_object_size(doc) == 2) {
		const char *text = json_string_value(error);

		text_clean(why, WHY_MAX, text, strlen(text));
		*status = status_of_error(text);
		json_decref(doc);
		return NULL;
	}
	*status = EXIT_DONE;
	return doc;
}

/* Who may ask is who may write to the socket. */
static void
why_refused(const char *socket_path, char why[static WHY_MAX])
{
	struct stat st;
	const struct group *g = stat(socket_path, &st) == 0 ? getgrgid(st.st_gid) : NULL;

	if (g == NULL)
		snprintf(why, WHY_MAX, "%s: %s", socket_path, strerror(EACCES));
	else
		snprintf(why, WHY_MAX, "%s: %s; root and members of the group %s may ask the daemon", socket_path, strerror(EACCES), g->gr_name);
}

json_t *
client_ask(const char *socket_path, json_t *request, int *status, char why[static WHY_MAX])
{
	char *line = json_dumps(request, JSON_COMPACT);
	struct buf in = { 0 };
	json_t *doc = NULL;
	int fd = connect_to(socket_path), rc = fd;

	json_decref(request);
	if (line == NULL)
		rc = -ENOMEM;
	if (rc >= 0 && (rc = send_line(fd, line)) >= 0)
		rc = read_all(fd, &in);
	if (rc >= 0 && in.len == 0)
		rc = -ECONNRESET;
	if (rc == -EACCES) {
		why_refused(socket_path, why);
		*status = EXIT_REFUSED;
	} else if (rc < 0) {
		snprintf(why, WHY_MAX, "the daemon does not answer on %s: %s", socket_path, strerror(-rc));
		*status = rc == -EPERM ? EXIT_REFUSED : EXIT_NO_DAEMON;
	} else {
		doc = document_checked(&in, status, why);
	}
	if (fd >= 0)
		close(fd);
	buf_free(&in);
	free(line);
	return doc;
}
