/* agent/config/scan.c: files before their meaning: opening with the checks of threat-model C3 and C6, the text-level
 * search for integers that libconfig 1.5 would wrap and for @include, syntax errors with their place, and folders. */
#include "config/load.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"

#define FILE_MAX	(64u << 20)
#define INCLUDE_DEPTH	10

/* root, ourselves, or the user that the daemon is: root's camtrapctl reads the configuration of a daemon that is not root. */
static bool
is_trusted(uid_t owner)
{
	const struct passwd *pw = owner != 0 && owner != geteuid() ? getpwnam(CAMTRAPD_USER) : NULL;

	return owner == 0 || owner == geteuid() || (pw != NULL && owner == pw->pw_uid);
}

int
load_open(const struct where *w, const char *path, bool secret)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);	/* a FIFO must not hold us */

	if (fd < 0 || fstat(fd, &st) < 0) {
		mistake(w, "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		mistake(w, "%s: %s", path, S_ISDIR(st.st_mode) ? strerror(EISDIR) : "not a regular file");
	} else if (secret && !is_trusted(st.st_uid)) {
		mistake(w, "%s: holds a secret and must be owned by root or by user %u, not %u", path, (unsigned)geteuid(), (unsigned)st.st_uid);
	} else if (secret && (st.st_mode & 007) != 0) {
		mistake(w, "%s: holds a secret and others may use it (mode %04o); chmod 0640", path, (unsigned)(st.st_mode & 07777));
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

char *
load_read(const struct where *w, const char *path, size_t *n)
{
	int fd = load_open(w, path, false);
	size_t cap = 0;
	char *text = NULL, *grown;
	ssize_t got;

	*n = 0;
	if (fd < 0)
		return NULL;
	for (;;) {
		if (*n + 1 >= cap) {
			/* No realloc(): the text may hold secrets, and the old copy is wiped. */
			if (cap > FILE_MAX || (grown = malloc(cap == 0 ? 65536 : 2 * cap)) == NULL) {
				mistake(w, "%s: %s", path, cap > FILE_MAX ? "larger than 64 MiB" : strerror(ENOMEM));
				goto bad;
			}
			if (text != NULL) {
				memcpy(grown, text, *n);
				explicit_bzero(text, *n);
				free(text);
			}
			text = grown;
			cap = cap == 0 ? 65536 : 2 * cap;
		}
		got = read(fd, text + *n, cap - *n - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			mistake(w, "%s: %s", path, strerror(errno));
			goto bad;
		}
		if (got == 0)
			break;
		*n += (size_t)got;
	}
	close(fd);
	text[*n] = '\0';
	return text;
bad:
	close(fd);
	if (text != NULL)
		explicit_bzero(text, *n);
	free(text);
	return NULL;
}

static bool	scan_file(struct loader *l, const struct where *from, const char *path, unsigned depth, char **out);

static bool
is_word(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '_' || ch == '-' || ch == '*' || ch == '.' || ch == '+';
}

/* Not within 32 bits, or with an L not within 64: libconfig would cut it without a word, to *wrapped. */
static bool
is_too_big(const char *number, size_t n, long long *wrapped)
{
	char digits[32];
	bool is_long = false, hex;
	long long v;
	char *end;

	while (n > 0 && (number[n - 1] == 'L' || number[n - 1] == 'l')) {
		is_long = true;
		n--;
	}
	assert(n > 0);
	*wrapped = LLONG_MIN;			/* no value of libconfig's: the number is told as it stands */
	if (n >= sizeof digits)
		return memchr(number, '.', n) == NULL;
	memcpy(digits, number, n);
	digits[n] = '\0';
	hex = strncmp(digits, "0x", 2) == 0 || strncmp(digits, "0X", 2) == 0;
	if (!hex && strpbrk(digits, ".eE") != NULL)
		return false;			/* a float: the wrong type, and told as that */
	errno = 0;
	v = strtoll(digits, &end, hex ? 16 : 10);
	if (*end != '\0')
		return false;			/* a syntax error, libconfig's to tell */
	/* libconfig 1.5, lib/scanner.l: its conversions to int and long long, strtoul() and its own loop for hexadecimal numbers. */
	*wrapped = is_long ? (hex ? (long long)strtoull(digits, NULL, 16) : v) : (int32_t)(hex ? strtoull(digits, NULL, 16) : (unsigned long long)v);
	return errno == ERANGE || (!is_long && (v > INT32_MAX || v < INT32_MIN));
}

/* A symbolic link leads where it likes, and whoever owns an included file writes our configuration. */
static bool
include_is_ours(const struct where *w, const char *name, const char *path)
{
	char *real = realpath(path, NULL), *folder = realpath(w->l->folder, NULL);
	size_t n = folder != NULL ? strlen(folder) : 0;
	struct stat st;
	bool ok = true;

	/* What does not exist is told when it is opened. */
	if (real != NULL && folder != NULL && (strncmp(real, folder, n) != 0 || (real[n] != '/' && n > 1))) {
		mistake(w, "\"%s\" leads to %s, which is not below the configuration's folder", name, real);
		ok = false;
	} else if (real != NULL && stat(real, &st) == 0 && !is_trusted(st.st_uid)) {
		mistake(w, "%s: must be owned by root or by user %u, not %u", path, (unsigned)geteuid(), (unsigned)st.st_uid);
		ok = false;
	}
	free(real);
	free(folder);
	return ok;
}

static bool
scan_include(const struct where *w, const char *p, unsigned depth)
{
	const char *end, *line_end = p + strcspn(p, "\n");
	char name[1024], *path;
	bool ok;

	p += strspn(p, " \t");
	if (*p != '"' || (end = memchr(p + 1, '"', (size_t)(line_end - p - 1))) == NULL)
		return true;			/* a syntax error, libconfig's to tell */
	p++;
	if ((size_t)(end - p) >= sizeof name) {
		mistake(w, "the name is too long");
		return false;
	}
	memcpy(name, p, (size_t)(end - p));
	name[end - p] = '\0';
	if (name[0] == '/' || strchr(name, '\\') != NULL || strcmp(name, "..") == 0 || strncmp(name, "../", 3) == 0 || strstr(name, "/../") != NULL ||
	    (strlen(name) > 3 && strcmp(name + strlen(name) - 3, "/..") == 0)) {
		mistake(w, "\"%s\" is not below the configuration's folder", name);
		return false;
	}
	if (depth >= INCLUDE_DEPTH) {
		mistake(w, "more than %d files deep", INCLUDE_DEPTH);
		return false;
	}
	if ((path = load_path(w->l, name)) == NULL)
		return false;
	ok = include_is_ours(w, name, path) && scan_file(w->l, w, path, depth + 1, NULL);
	free(path);
	return ok;
}

static void
note_overflow(const struct where *w, const char *number, size_t n, const char *key)
{
	struct loader *l = w->l;
	struct overflow *o;
	long long wrapped;

	if (!is_too_big(number, n, &wrapped))
		return;
	if (array_grow((void **)&l->overflows, l->n_overflows, &l->cap_overflows, sizeof *l->overflows) < 0) {
		l->oom = true;
		return;
	}
	o = &l->overflows[l->n_overflows++];
	*o = (struct overflow){ .file = w->file, .line = w->line, .wrapped = wrapped };
	snprintf(o->text, sizeof o->text, "%.*s%s", n < sizeof o->text ? (int)n : 32, number, n < sizeof o->text ? "" : "…");
	snprintf(o->key, sizeof o->key, "%s", key);
}

/* Looks at the text outside strings and comments. false: do not let libconfig read it. */
static bool
scan_text(struct loader *l, const char *file, const char *text, unsigned depth)
{
	struct where w = { .l = l, .file = file, .line = 1 };
	char key[65] = "";
	bool ok = true, at_start = true;
	size_t n;

	for (const char *p = text; *p != '\0'; p += n) {
		n = 1;
		if (*p == '\n') {
			w.line++;
			at_start = true;
			continue;
		}
		if (*p == '#' || (*p == '/' && p[1] == '/')) {
			n = strcspn(p, "\n");
		} else if (*p == '/' && p[1] == '*') {
			const char *end = strstr(p + 2, "*/");

			if (end == NULL) {
				mistake(&w, "the remark that begins here is not closed");
				return false;
			}
			n = (size_t)(end + 2 - p);
			for (size_t i = 0; i < n; i++)
				w.line += p[i] == '\n';
		} else if (*p == '"') {
			unsigned begun = w.line;

			while (p[n] != '\0' && p[n] != '"') {
				n += p[n] == '\\' && p[n + 1] != '\0';
				w.line += p[n] == '\n';
				n++;
			}
			if (p[n] == '\0') {	/* libconfig would say "syntax error" in the last line */
				w.line = begun;
				mistake(&w, "the text that begins here is not closed with a quote");
				return false;
			}
			n++;
		} else if (*p == '@' && at_start && strncmp(p, "@include", 8) == 0) {
			w.key = "@include";
			ok &= scan_include(&w, p + 8, depth);
			w.key = NULL;
			n = strcspn(p, "\n");
		} else if (is_word(*p)) {
			while (is_word(p[n]))
				n++;
			if ((*p >= '0' && *p <= '9') || *p == '-' || *p == '+') {
				note_overflow(&w, p, n, key);
			} else {
				snprintf(key, sizeof key, "%.*s", (int)(n < 64 ? n : 64), p);
			}
		}
		at_start &= *p == ' ' || *p == '\t';
	}
	return ok;
}

static bool
scan_file(struct loader *l, const struct where *from, const char *path, unsigned depth, char **out)
{
	size_t n;
	char *text = load_read(from, path, &n);
	struct where w = { .l = l, .line = 1 };
	bool ok;

	if (text == NULL)
		return false;
	w.file = load_intern(l, path);
	if (strlen(text) != n) {
		mistake(&w, "has a NUL octet: not a text");
		ok = false;
	} else {
		ok = scan_text(l, w.file, text, depth);
	}
	if (ok && out != NULL) {
		*out = text;
		return true;
	}
	explicit_bzero(text, n);
	free(text);
	return ok;
}

bool
load_libconfig(struct loader *l, const struct where *from, const char *path, config_t *cf)
{
	struct where w = { .l = l, .file = load_intern(l, path) };
	struct where name = *from;
	char *text = NULL;
	const char *file;
	bool ok;

	config_init(cf);
	config_set_include_dir(cf, l->folder);
	l->single.file = w.file;
	if (!scan_file(l, &name, path, 0, &text))
		return false;
	assert(text != NULL);
	ok = config_read_string(cf, text) == CONFIG_TRUE;
	if (!ok) {
		if ((file = config_error_file(cf)) != NULL)
			w.file = load_known(l, file);
		w.line = (unsigned)config_error_line(cf);
		mistake(&w, "%s", config_error_text(cf) != NULL ? config_error_text(cf) : "syntax error");
	}
	explicit_bzero(text, strlen(text));
	free(text);
	return ok;
}

static int
has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = suffix != NULL ? strlen(suffix) : 0;

	return s > 0 && n > s && strcmp(name + n - s, suffix) == 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
load_each(const struct where *w, const char *name, const char *suffix, const char *suffix2,
    void (*one)(const struct where *w, const char *path))
{
	size_t n = strlen(name);
	struct strlist found = { 0 };
	struct dirent *e;
	DIR *d;

	if (n == 0 || name[n - 1] != '/') {
		one(w, name);
		return;
	}
	if ((d = opendir(name)) == NULL) {
		mistake(w, "%s: %s", name, strerror(errno));
		return;
	}
	while ((e = readdir(d)) != NULL) {
		char *path;

		if (e->d_name[0] == '.' || (!has_suffix(e->d_name, suffix) && !has_suffix(e->d_name, suffix2)))
			continue;
		if (asprintf(&path, "%s%s", name, e->d_name) < 0) {
			w->l->oom = true;
			continue;
		}
		w->l->oom |= strlist_add(&found, path, strlen(path)) < 0;
		free(path);
	}
	closedir(d);
	if (found.n > 1)
		qsort(found.v, found.n, sizeof *found.v, by_name);
	for (size_t i = 0; i < found.n; i++)
		one(w, found.v[i]);
	strlist_free(&found);
}
