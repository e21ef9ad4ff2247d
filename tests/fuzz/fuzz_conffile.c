/* tests/fuzz/fuzz_conffile.c: the files an operator writes: configuration, policy, inventory. The first octet chooses. A file is taken
 * whole or refused with at least one complaint. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libconfig 1.5 loses some octets of its scanner when a file has a mistake; a daemon reads few such files. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static char dir[64];

static void
clean_up(void)
{
	static const char *const names[] = { "camtrapd.conf", "file" };
	char path[96];

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static void
file_put(const char *name, const void *p, size_t n)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "we");
	assert(f != NULL && fwrite(p, 1, n, f) == n);
	fclose(f);
}

static void
complain(void *arg, const char *line)
{
	assert(strlen(line) > 0 && strchr(line, '\n') == NULL);
	++*(unsigned *)arg;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const mains[] = { "policy = [ \"file\" ];\n",
		"credentials = ( { name = \"c\"; version = \"2c\"; community = \"k\"; } );\nswitch_defaults = { credential = \"c\"; };\n"
		"inventory = [ \"file\" ];\n" };
	unsigned complaints = 0;
	char path[96];
	struct conf *c;

	if (size == 0)
		return 0;
	if (dir[0] == '\0') {
		snprintf(dir, sizeof dir, "%s/camtrapd-fuzz-XXXXXX", access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp");
		assert(mkdtemp(dir) != NULL);
		umask(077);
		atexit(clean_up);
	}
	if (data[0] % 3 == 2) {
		file_put("camtrapd.conf", data + 1, size - 1);
	} else {
		file_put("camtrapd.conf", mains[data[0] % 3], strlen(mains[data[0] % 3]));
		file_put("file", data + 1, size - 1);
	}
	snprintf(path, sizeof path, "%s/camtrapd.conf", dir);
	if ((c = conf_load(path, complain, &complaints)) != NULL) {
		struct buf b = { 0 };

		policies_encode(&b, &c->policies);
		buf_free(&b);
		conf_free(c);
	} else
		assert(complaints > 0);
	return 0;
}
