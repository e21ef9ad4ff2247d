/* tests/unit/test_conf.c: configuration in and out. The pairs of tests/conf/ run in a private copy of that folder, because
 * files with secrets must not be readable by others; names there end in "-open" where they must be. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "config/conf.h"
#include "config/schema.h"

static char folder[64];				/* the private copy */

static char *
read_all(const char *path, size_t *n)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, 1 << 20);

	assert_non_null(text);
	if (f == NULL) {
		free(text);
		return NULL;
	}
	*n = fread(text, 1, (1 << 20) - 1, f);
	fclose(f);
	return text;
}

static void
write_all(const char *path, const char *text, size_t n, mode_t mode)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static bool
ends_in(const char *s, const char *end)
{
	return strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

static void
copy_folder(const char *from, const char *to)
{
	char a[512], b[512];
	struct dirent *e;
	struct stat st;
	DIR *d = opendir(from);

	assert_non_null(d);
	assert_true(mkdir(to, 0700) == 0 || access(to, W_OK) == 0);
	while ((e = readdir(d)) != NULL) {
		char *text;
		size_t n;

		if (e->d_name[0] == '.')
			continue;
		snprintf(a, sizeof a, "%s/%s", from, e->d_name);
		snprintf(b, sizeof b, "%s/%s", to, e->d_name);
		assert_int_equal(stat(a, &st), 0);
		if (S_ISDIR(st.st_mode)) {
			copy_folder(a, b);
			continue;
		}
		text = read_all(a, &n);
		write_all(b, text, n, strstr(e->d_name, "-open") != NULL ? 0644 : 0600);
		free(text);
	}
	closedir(d);
}

static int
make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/camtrapd-conf-XXXXXX");
	assert_non_null(mkdtemp(folder));
	copy_folder(SOURCE_DIR "/tests/conf", folder);
	return 0;
}

static int
remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

/* Told lines, without the folder's name. */
struct told { char text[65536]; size_t n; };

static void
tell(void *arg, const char *line)
{
	struct told *t = arg;
	const char *at, *slash = folder;
	size_t skip = strlen(slash) + 1;

	while ((at = strstr(line, folder)) != NULL) {
		t->n += (size_t)snprintf(t->text + t->n, sizeof t->text - t->n, "%.*s", (int)(at - line), line);
		line = at + skip;
	}
	t->n += (size_t)snprintf(t->text + t->n, sizeof t->text - t->n, "%s\n", line);
	assert_true(t->n < sizeof t->text);
}

static char *
dump_text(const struct conf *c)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	conf_dump(c, f);
	fclose(f);
	return text;
}

/* The dump as the .ok file has it: without the folder, then the warnings. */
static void
as_expected(const struct conf *c, struct told *t)
{
	char *text = dump_text(c), *save = NULL;

	*t = (struct told){ 0 };
	for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
		tell(t, line);
	for (size_t i = 0; i < c->warnings.n; i++) {
		t->n += (size_t)snprintf(t->text + t->n, sizeof t->text - t->n, "# warning: ");
		tell(t, c->warnings.v[i]);
	}
	free(text);
}

static struct conf *
load(const char *name, struct told *t)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	*t = (struct told){ 0 };
	return conf_load(path, tell, t);
}

static void
dump_parses_back(const struct conf *c)
{
	char path[512], *first = dump_text(c), *second;
	static struct told t;
	struct conf *again;

	snprintf(path, sizeof path, "%s/dumped.conf", folder);
	write_all(path, first, strlen(first), 0600);
	again = load("dumped.conf", &t);
	if (again == NULL)
		print_error("%s", t.text);
	assert_non_null(again);
	second = dump_text(again);
	assert_string_equal(first, second);
	free(first);
	free(second);
	conf_free(again);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* CONF_WRITE=1 in the environment writes the expected files that are missing; look at them before you keep them. */
static void
pairs_of_files_hold(void **state)
{
	static struct told t;
	char path[512], *want;
	struct strlist names = { 0 };
	struct dirent *e;
	DIR *d = opendir(SOURCE_DIR "/tests/conf");
	size_t bad = 0, n;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (ends_in(e->d_name, ".in"))
			assert_int_equal(strlist_add(&names, e->d_name, strlen(e->d_name)), 0);
	}
	closedir(d);
	assert_true(names.n >= 25);
	qsort(names.v, names.n, sizeof *names.v, by_name);
	for (size_t i = 0; i < names.n; i++) {
		struct conf *c = load(names.v[i], &t);

		if (c != NULL) {
			as_expected(c, &t);
			dump_parses_back(c);
		}
		snprintf(path, sizeof path, "%s/tests/conf/%.*s.%s", SOURCE_DIR, (int)strlen(names.v[i]) - 3, names.v[i], c != NULL ? "ok" : "err");
		conf_free(c);
		want = read_all(path, &n);
		if (want == NULL && getenv("CONF_WRITE") != NULL) {
			write_all(path, t.text, t.n, 0644);
			continue;
		}
		if (want == NULL || strcmp(want, t.text) != 0) {
			print_error("%s: expected (%s):\n%s\ngot:\n%s\n", names.v[i], path, want != NULL ? want : "(no such file)\n", t.text);
			bad++;
		}
		free(want);
	}
	strlist_free(&names);
	assert_int_equal(bad, 0);
}

static void
missing_file_is_told(void **state)
{
	static struct told t;

	(void)state;
	assert_null(load("nowhere.conf", &t));
	assert_non_null(strstr(t.text, "nowhere.conf: No such file or directory"));
}

static bool
has_text(const struct buf *b, const char *text)
{
	return memmem(b->p, b->len, text, strlen(text)) != NULL;
}

static void
roles_are_told_what_they_need(void **state)
{
	static const char *const secrets[] = { "campus-auth-1", "campus-priv-1", "old-community-1", "receiver-community-1", "unused-community-1", "trapper-auth-1" };
	static struct told t;
	struct conf *c = load("01-everything.in", &t), *d;
	struct buf b = { 0 };

	(void)state;
	assert_non_null(c);
	assert_string_equal(conf_credential(c, "campus")->auth_secret, "campus-auth-1");
	assert_string_equal(conf_site(c, "hq")->name, "hq");
	assert_non_null(conf_switch(c, "csv-1"));
	assert_null(conf_switch(c, "nobody"));
	assert_int_equal(c->policies.n, 1);

	conf_encode(c, CONF_FOR_ENGINE, 0, &b);
	assert_false(b.bad);
	for (size_t i = 0; i < nitems(secrets); i++)
		assert_false(has_text(&b, secrets[i]));
	d = conf_decode(b.p, b.len);
	assert_non_null(d);
	assert_int_equal(d->n_switches, c->n_switches);
	assert_int_equal(d->n_credentials, c->n_credentials);
	assert_null(d->credentials[0].auth_secret);
	assert_int_equal(d->policies.n, c->policies.n);
	assert_int_equal(d->retention_s, c->retention_s);
	assert_int_equal(d->switches[0].key, c->switches[0].key);
	conf_free(d);

	buf_clear(&b);
	conf_encode(c, CONF_FOR_VIEWS, 0, &b);
	for (size_t i = 0; i < nitems(secrets); i++)
		assert_false(has_text(&b, secrets[i]));
	assert_false(has_text(&b, "campus"));
	d = conf_decode(b.p, b.len);
	assert_non_null(d);
	assert_int_equal(d->n_sites, c->n_sites);
	assert_int_equal(d->n_credentials + d->n_switches + d->n_receivers, 0);
	assert_string_equal(d->run_dir, c->run_dir);
	conf_free(d);

	buf_clear(&b);
	conf_encode(c, CONF_FOR_NOTIFY, 0, &b);
	d = conf_decode(b.p, b.len);
	assert_non_null(d);
	assert_int_equal(d->n_receivers, 1);
	assert_int_equal(d->n_credentials, 1);
	assert_string_equal(d->credentials[0].community, "receiver-community-1");
	assert_string_equal(d->mib_root, c->mib_root);
	for (size_t i = 0; i < nitems(secrets); i++)
		assert_int_equal(has_text(&b, secrets[i]), i == 3);
	conf_free(d);
	conf_free(c);
	buf_free(&b);
}

static void
pollers_share_the_switches(void **state)
{
	static struct told t;
	struct conf *c = load("01-everything.in", &t), *d;
	struct buf b = { 0 };
	size_t all = 0;

	(void)state;
	assert_non_null(c);
	for (unsigned i = 0; i < c->pollers; i++) {
		buf_clear(&b);
		conf_encode(c, CONF_FOR_POLLER, i, &b);
		assert_false(has_text(&b, "receiver-community-1"));
		assert_false(has_text(&b, "trapper-auth-1"));
		d = conf_decode(b.p, b.len);
		assert_non_null(d);
		all += d->n_switches;
		for (size_t s = 0; s < d->n_switches; s++) {
			assert_int_equal(d->switches[s].key % c->pollers, i);
			for (size_t k = 0; k < d->switches[s].credentials.n; k++) {
				const struct conf_credential *cr = conf_credential(d, d->switches[s].credentials.v[k]);

				assert_non_null(cr);
				assert_true(cr->version != SNMP_V3 || cr->auth_secret != NULL);
			}
		}
		conf_free(d);
	}
	assert_int_equal(all, c->n_switches);
	conf_free(c);
	buf_free(&b);
}

/* Each cut and each turned octet is either refused or makes something that can be freed. */
static void
damaged_encodings_are_harmless(void **state)
{
	static struct told t;
	struct conf *c = load("01-everything.in", &t);

	(void)state;
	assert_non_null(c);
	for (int role = CONF_FOR_POLLER; role <= CONF_FOR_VIEWS; role++) {
		struct buf b = { 0 };

		conf_encode(c, (enum conf_for)role, 0, &b);
		for (size_t n = 0; n < b.len; n++) {
			uint8_t *cut = malloc(n + 1);	/* of its own, so that a read past the end is seen */

			memcpy(cut, b.p, n);
			assert_null(conf_decode(cut, n));
			free(cut);
			b.p[n] ^= 0xff;
			conf_free(conf_decode(b.p, b.len));
			b.p[n] ^= 0xff;
		}
		buf_free(&b);
	}
	conf_free(c);
}

static void
example_and_manual_name_every_key(void **state)
{
	char *example, *manual, word[80];
	size_t n;

	(void)state;
	example = read_all(SOURCE_DIR "/conf/camtrapd.conf", &n);
	manual = read_all(SOURCE_DIR "/doc/camtrapd.conf.5", &n);
	assert_non_null(example);
	assert_non_null(manual);
	for (size_t g = 0; g < G_N; g++) {
		for (const struct conf_key *k = conf_groups[g].keys; k->name != NULL; k++) {
			snprintf(word, sizeof word, "%s = ", k->name);
			if (strstr(example, word) == NULL)
				fail_msg("conf/camtrapd.conf: %s: %s is not there", conf_groups[g].name, k->name);
			snprintf(word, sizeof word, ".It Ic %s", k->name);
			if (strstr(manual, word) == NULL)
				fail_msg("doc/camtrapd.conf.5: %s: %s is not there", conf_groups[g].name, k->name);
		}
	}
	free(example);
	free(manual);
}

/* Key files are made here; the policies are those we ship. */
static void
example_loads(void **state)
{
	static const char *const keys[] = { "campus.auth", "campus.priv", "old.community" };
	static struct told t;
	char path[512];
	struct conf *c;

	(void)state;
	if (access(SOURCE_DIR "/conf/policy.d/uk-2022.conf", R_OK) < 0 || access(SOURCE_DIR "/conf/policy.d/us-ndaa-889.conf", R_OK) < 0)
		skip();
	snprintf(path, sizeof path, "%s/example", folder);
	copy_folder(SOURCE_DIR "/conf", path);
	snprintf(path, sizeof path, "%s/example/keys", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < nitems(keys); i++) {
		snprintf(path, sizeof path, "%s/example/keys/%s", folder, keys[i]);
		write_all(path, "made-by-a-test\n", 15, 0600);
	}
	c = load("example/camtrapd.conf", &t);
	assert_string_equal(t.text, "");
	assert_non_null(c);
	assert_int_equal(c->policies.n, 2);
	assert_int_equal(c->warnings.n, 0);
	dump_parses_back(c);
	conf_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_of_files_hold),
		cmocka_unit_test(missing_file_is_told),
		cmocka_unit_test(roles_are_told_what_they_need),
		cmocka_unit_test(pollers_share_the_switches),
		cmocka_unit_test(damaged_encodings_are_harmless),
		cmocka_unit_test(example_and_manual_name_every_key),
		cmocka_unit_test(example_loads),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
