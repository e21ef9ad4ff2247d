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
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "config/conf.h"
#include "config/schema.h"

static char folder[64];				/* the private copy */

/* libconfig 1.5 loses a text that a syntax error follows: its parser has no destructors. Nothing of ours is excused. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

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
	/* Each by the files that show it: 07 and 36 numbers, 04 unknown keys; 16, 17 and 34 files that others can read; 29 to 32 includes. */
	print_message("C1, C3, C6: %zu configurations are taken or refused as the files beside them say\n", names.n);
	strlist_free(&names);
	assert_int_equal(bad, 0);
}

static void
c5_what_is_weak_is_said(void **state)
{
	static const struct { struct conf_credential c; const char *why; unsigned all; } cases[] = {
		{ { .version = SNMP_V1 }, "version 1", WEAK_VERSION }, { { .version = SNMP_V2C }, "version 2c", WEAK_VERSION },
		{ { .version = SNMP_V2C, .community = (char *)"k7-Rz" }, "version 2c", WEAK_VERSION },
		{ { .version = SNMP_V2C, .community = (char *)"Cisco" }, "version 2c", WEAK_VERSION | WEAK_COMMUNITY },
		{ { .version = SNMP_V3 }, "no authentication", WEAK_NO_AUTH | WEAK_NO_PRIV },
		{ { .version = SNMP_V3, .auth = AUTH_MD5, .priv = PRIV_AES128 }, "MD5", WEAK_MD5 },
		{ { .version = SNMP_V3, .auth = AUTH_MD5, .priv = PRIV_DES }, "MD5", WEAK_MD5 | WEAK_DES },
		{ { .version = SNMP_V3, .auth = AUTH_SHA256 }, "no privacy", WEAK_NO_PRIV },
		{ { .version = SNMP_V3, .auth = AUTH_SHA256, .priv = PRIV_DES }, "DES", WEAK_DES },
		{ { .version = SNMP_V3, .auth = AUTH_SHA256, .priv = PRIV_AES128 }, NULL, 0 },
		{ { .version = SNMP_V3, .auth = AUTH_SHA512, .priv = PRIV_AES256 }, NULL, 0 },
	};
	static struct told t;
	struct conf *c;

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		assert_true(str_eq(conf_weakness(&cases[i].c), cases[i].why));
		assert_int_equal(conf_weaknesses(&cases[i].c), cases[i].all);
	}
	assert_null(load("18-weak.in", &t));	/* MD5 and DES are refused, */
	conf_free(load("19-weak-allowed.in", &t));	/* unless they are asked for */
	assert_string_equal(t.text, "");
	c = load("24-warnings.in", &t);
	assert_non_null(c);
	assert_true(c->warnings.n > 0 && strstr(c->warnings.v[0], "everybody tries first") != NULL);	/* "Cisco" */
	conf_free(c);
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

/* Whether "key = " stands between "\ngroup = " and the next empty line of the example, in a remark or not. */
static bool
stands_in(const char *example, const char *group, const char *key)
{
	char head[80], word[80];
	const char *at, *end, *found;

	snprintf(head, sizeof head, "\n%s = ", group);
	snprintf(word, sizeof word, group == key ? "\n%s = " : " %s = ", key);
	at = strstr(example, head);
	end = at != NULL ? strstr(at, "\n\n") : NULL;
	found = at != NULL ? strstr(at, word) : NULL;
	return found != NULL && (end == NULL || found < end);
}

static void
example_and_manual_name_every_key(void **state)
{
	/* Where a key may stand instead: the example says so there. */
	static const char *const instead[G_N] = { [G_SWITCHES] = "switch_defaults", [G_TRAP_USERS] = "credentials" };
	char *example, *manual, word[80];
	size_t n;

	(void)state;
	example = read_all(SOURCE_DIR "/conf/camtrapd.conf", &n);
	manual = read_all(SOURCE_DIR "/doc/camtrapd.conf.5", &n);
	assert_non_null(example);
	assert_non_null(manual);
	for (size_t g = 0; g < G_N; g++) {
		for (const struct conf_key *k = conf_groups[g].keys; k->name != NULL; k++) {
			if (!stands_in(example, conf_groups[g].name[0] != '\0' ? conf_groups[g].name : k->name, k->name) &&
			    (instead[g] == NULL || !stands_in(example, instead[g], k->name)))
				fail_msg("conf/camtrapd.conf: %s: %s is not there", conf_groups[g].name, k->name);
			snprintf(word, sizeof word, ".It Ic %s", k->name);
			if (strstr(manual, word) == NULL)
				fail_msg("doc/camtrapd.conf.5: %s: %s is not there", conf_groups[g].name, k->name);
		}
	}
	free(example);
	free(manual);
}

/* The part of the manual about a key, from its .It to the next one, or about a list, from its .Ss. */
static bool
manual_says(const char *manual, const char *head, const char *words)
{
	const char *at = strstr(manual, head), *end, *end2, *found;

	assert_non_null(at);
	end = strstr(at + 1, "\n.It ");
	end2 = strstr(at + 1, "\n.El");
	end = end == NULL || (end2 != NULL && end2 < end) ? end2 : end;
	found = strcasestr(at, words);
	return found != NULL && end != NULL && found < end;
}

/* What a key of a later version asks for in vain is said by --check, by the manual and by nothing else. */
static void
manual_marks_what_is_not_in_this_version(void **state)
{
	char *manual, head[80];
	unsigned marked = 0;
	size_t n;

	(void)state;
	manual = read_all(SOURCE_DIR "/doc/camtrapd.conf.5", &n);
	assert_non_null(manual);
	for (size_t g = 0; g < G_N; g++) {
		if (conf_groups[g].flags & F_NOT_YET) {
			snprintf(head, sizeof head, "\n.Ss %s\n", conf_groups[g].name);
			assert_true(manual_says(manual, head, "not in this version"));
			marked++;
			continue;
		}
		for (const struct conf_key *k = conf_groups[g].keys; k->name != NULL; k++) {
			snprintf(head, sizeof head, "\n.It Ic %s\n", k->name);
			if (manual_says(manual, head, "not in this version") != ((k->flags & F_NOT_YET) != 0))
				fail_msg("doc/camtrapd.conf.5: %s: F_NOT_YET and the manual differ", k->name);
			marked += (k->flags & F_NOT_YET) != 0;
		}
	}
	assert_int_equal(marked, 13);
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

static void
in_folder(char out[512], const char *name)
{
	snprintf(out, 512, "%s/%s", folder, name);
}

/* C6: what an include leads to counts, not what it is called. C3: who owns it. */
static void
includes_stay_at_home(void **state)
{
	static const char text[] = "@include \"link.conf\"\n";
	static struct told t;
	char link[512], main_file[512], inside[512];
	struct conf *c;

	(void)state;
	in_folder(main_file, "include-link.in");
	in_folder(link, "link.conf");
	in_folder(inside, "included.conf");
	write_all(main_file, text, sizeof text - 1, 0600);
	assert_int_equal(symlink("/etc/hostname", link), 0);
	assert_null(load("include-link.in", &t));
	assert_non_null(strstr(t.text, "include-link.in:1: @include: \"link.conf\" leads to "));
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("included.conf", link), 0);
	c = load("include-link.in", &t);
	assert_string_equal(t.text, "");
	assert_non_null(c);
	assert_int_equal(c->pollers, 3);
	conf_free(c);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(mkfifo(link, 0600), 0);
	assert_null(load("include-link.in", &t));
	assert_non_null(strstr(t.text, "not a regular file"));
	assert_int_equal(unlink(link), 0);
	if (geteuid() != 0)
		skip();			/* only root can give a file away */
	assert_int_equal(symlink("included.conf", link), 0);
	assert_int_equal(chown(inside, 12345, 12345), 0);
	assert_null(load("include-link.in", &t));
	assert_non_null(strstr(t.text, "must be owned by root or by user 0, not 12345"));
	assert_int_equal(chown(inside, 0, 0), 0);
	/* And of a key file. */
	in_folder(inside, "keys/campus.auth");
	assert_int_equal(chown(inside, 12345, 12345), 0);
	assert_null(load("01-everything.in", &t));
	assert_non_null(strstr(t.text, "credential \"campus\": auth_secret_file: keys/campus.auth: holds a secret and must be owned by root or by user 0, not 12345"));
	assert_int_equal(chown(inside, 0, 0), 0);
}

/* ---- configurations drawn from the schema */

static uint64_t seed;

static unsigned
draw(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

/* The text that is made, and which "key = value;" of it a print must show again. */
static FILE *made;
static struct strlist shown;
static unsigned n_made[G_N];

static void
put_quoted(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

static void
draw_text(char *out, size_t least, size_t most)
{
	static const char *const parts[] = { "a", "Z", "7", "-", "_", ".", "\"", "\\", "ü", "€", "a b", "@include", "//", "#" };
	size_t n = least + draw((unsigned)(most - least + 1)), len = 0;

	while (len < n) {
		const char *p = n - len < 8 ? "x" : parts[draw(nitems(parts))];

		memcpy(out + len, p, strlen(p));
		len += strlen(p);
	}
	out[len] = '\0';
}

static const char *
draw_address(void)
{
	static const char *const all[] = { "192.0.2.7", "2001:db8::7", "10.255.255.254", "::1", "::ffff:192.0.2.1" };

	return all[draw(nitems(all))];
}

static void
draw_list(FILE *out, const struct conf_key *k)
{
	static const char *const nets[] = { "192.0.2.0/24", "2001:db8::/32", "192.0.2.1", "::/0", "0.0.0.0/0" };
	unsigned n = draw(4), twice = draw(2000);

	fputs("[ ", out);
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			fputs(", ", out);
		if (k->kind == K_VLANS)
			fprintf(out, draw(2) ? "%u" : "0x%x", 1 + draw(4094));
		else if (k->kind == K_IPS)
			put_quoted(out, draw_address());
		else if (k->kind == K_NETS)
			put_quoted(out, nets[draw(nitems(nets))]);
		else if (k->kind == K_LISTEN)
			fprintf(out, draw(2) ? "\"127.0.0.1:%u\"" : "\"[::1]:%u\"", 1 + draw(65535));
		else
			fprintf(out, "\"%s%u\"", k->kind == K_FILES ? "/no/file/" : "Gi1/0/", twice + i);
	}
	fputs(" ]", out);
}

/* A value of the key, as text in `out`; false: leave it out. */
static bool
draw_value(FILE *out, const struct conf_key *k)
{
	static const struct { const char *unit; uint64_t s; } units[] = { { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
	char text[300];
	unsigned n = 0, u;

	switch (k->kind) {
	case K_TEXT:
		if (k->flags & F_SECRET) {
			fputs("\"a secret of 8 or more\"", out);
		} else if (k->flags & F_OID) {
			fprintf(out, "\"1.3.6.1.4.1.%u.%u\"", draw(70000), draw(200));
		} else {
			draw_text(text + 1, k->min > 1 ? k->min : 1, k->max < 60 ? k->max : 60);
			text[0] = '/';
			put_quoted(out, k->flags & F_ABSOLUTE ? text : text + 1);
		}
		return true;
	case K_UINT:
		fprintf(out, "%llu", (unsigned long long)(k->min + draw((unsigned)(k->max - k->min + 1))));
		return true;
	case K_DURATION:
		do
			u = draw(nitems(units));
		while (units[u].s > k->max);
		n = (unsigned)((k->min + units[u].s - 1) / units[u].s);
		fprintf(out, "\"%u%s\"", n + draw((unsigned)(k->max / units[u].s) - n + 1), units[u].unit);
		return true;
	case K_BOOL:
		fputs(draw(2) ? "true" : "false", out);
		return true;
	case K_ENUM:
		while (k->names[n].text != NULL)
			n++;
		put_quoted(out, k->names[draw(n)].text);
		return true;
	case K_TEXTS: case K_FILES: case K_LISTEN: case K_NETS: case K_IPS: case K_VLANS:
		draw_list(out, k);
		return true;
	case K_ADDRESS:
		fprintf(out, draw(2) ? "\"192.0.2.%u\"" : "\"[2001:db8::%u]:1161\"", draw(255));
		return true;
	case K_HOST:
		fprintf(out, draw(2) ? "\"noc%u.example.org\"" : draw(2) ? "\"[2001:db8::%u]:1162\"" : "\"192.0.2.%u\"", draw(255));
		return true;
	default:
		return false;		/* files that must exist, and other spellings of a key */
	}
}

/* Keys whose value depends on others. NULL: none of them; "": leave it out. */
static const char *
draw_special(enum conf_group_id id, const struct conf_key *k, char out[64])
{
	static bool v3, auth, priv;
	bool credential = id == G_CREDENTIALS || id == G_TRAP_USERS;

	if (strcmp(k->name, "name") == 0 && id != G_AGENT) {
		snprintf(out, 64, "\"n%u\"", n_made[id]++);
		v3 = id == G_TRAP_USERS || draw(2);
		auth = v3 && draw(4) > 0;
		priv = auth && draw(2);
		return out;
	}
	if (credential && strcmp(k->name, "version") == 0)
		return v3 ? "\"3\"" : draw(2) ? "\"2c\"" : "\"1\"";
	if (credential && strcmp(k->name, "community") == 0)
		return v3 ? "" : "\"a community\"";
	if (credential && strcmp(k->name, "user") == 0)
		return v3 ? "\"someone\"" : "";
	if (credential && (strcmp(k->name, "auth") == 0 || strcmp(k->name, "auth_secret") == 0))
		return !auth ? "" : k->kind == K_ENUM ? k->names[1 + draw(6)].text : NULL;
	if (credential && (strcmp(k->name, "priv") == 0 || strcmp(k->name, "priv_secret") == 0))
		return !priv ? "" : k->kind == K_ENUM ? k->names[1 + draw(6)].text : NULL;
	if (credential && strcmp(k->name, "allow_weak") == 0)
		return "true";
	if (id == G_SWITCHES && strcmp(k->name, "credentials") == 0)
		return draw(2) ? "[ \"n0\" ]" : "[ \"n1\", \"n0\" ]";
	if (id == G_SWITCHES && strcmp(k->name, "site") == 0)
		return draw(2) ? "\"n0\"" : "";
	if (id == G_RECEIVERS && strcmp(k->name, "credential") == 0)
		return "\"n0\"";
	if (id == G_RECEIVERS && (strcmp(k->name, "inform") == 0 || strcmp(k->name, "source_address") == 0))
		return "";		/* depend on the credential and on the address */
	return id == G_TOP ? "" : NULL;
}

static void
make_keys(enum conf_group_id id)
{
	for (const struct conf_key *k = conf_groups[id].keys; k->name != NULL; k++) {
		char buffer[64], *text = NULL;
		const char *special = draw_special(id, k, buffer);
		bool must = (k->flags & F_REQUIRED) || (special != NULL && special[0] != '\0');
		size_t n;
		FILE *one = open_memstream(&text, &n);

		if (special != NULL && special[0] != '\0' && k->kind == K_ENUM && special[0] != '"')
			put_quoted(one, special);
		else if (special != NULL)
			fputs(special, one);
		else if ((must || (k->flags & F_SECRET) || draw(2)) && !draw_value(one, k))
			must = false;
		fclose(one);
		if (n > 0) {
			fprintf(made, " %s = %s;", k->name, text);
			if (k->kind == K_UINT || k->kind == K_BOOL || k->kind == K_ENUM || (k->kind == K_TEXT && !(k->flags & F_SECRET))) {
				char *line = NULL;

				n = (size_t)asprintf(&line, "%s = %s;", k->name, text);
				assert_int_equal(strlist_add(&shown, line, n), 0);
				free(line);
			}
		}
		free(text);
	}
}

/* A valid configuration; the caller frees it. */
static char *
make_configuration(void)
{
	char *text = NULL;
	size_t n;

	strlist_free(&shown);
	memset(n_made, 0, sizeof n_made);
	made = open_memstream(&text, &n);
	fputs("policy = [ \"policies/\" ];\n", made);
	for (size_t g = 0; g < G_N; g++) {
		const struct conf_group *group = &conf_groups[g];
		unsigned elements = g == G_CREDENTIALS ? 2 + draw(3) : g == G_SITES ? 1 + draw(3) : draw(4);

		if (g == G_TOP)
			continue;
		if (group->what == NULL) {
			fprintf(made, "%s = {", group->name);
			make_keys((enum conf_group_id)g);
			fputs(" };\n", made);
			continue;
		}
		fprintf(made, "%s = (", group->name);
		for (unsigned i = 0; i < elements; i++) {
			fputs(i > 0 ? ",\n {" : " {", made);
			make_keys((enum conf_group_id)g);
			fputs(" }", made);
		}
		fputs(" );\n", made);
	}
	fclose(made);
	return text;
}

static void
begin_drawing(void)
{
	const char *given = getenv("CONF_SEED");

	seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 2654435761u + (uint64_t)getpid();
	seed |= seed == 0;
	print_message("CONF_SEED=%llu\n", (unsigned long long)seed);
}

static void
whatever_is_valid_is_printed_and_read_again(void **state)
{
	static struct told t;
	char path[512];

	(void)state;
	begin_drawing();
	in_folder(path, "drawn.in");
	for (int i = 0; i < 150; i++) {
		char *text = make_configuration(), *print;
		struct conf *c;

		write_all(path, text, strlen(text), 0600);
		if ((c = load("drawn.in", &t)) == NULL)
			fail_msg("refused: %s\n%s", t.text, text);
		print = dump_text(c);
		for (size_t k = 0; k < shown.n; k++) {
			if (strstr(print, shown.v[k]) == NULL)
				fail_msg("%s is not in the print of\n%s\nwhich is\n%s", shown.v[k], text, print);
		}
		dump_parses_back(c);
		free(print);
		conf_free(c);
		free(text);
	}
	strlist_free(&shown);
}

/* A key of the operator's text turned, lost or doubled: told or taken, and what is taken is printed and read again. */
static void
mistyped_texts_are_told_or_taken(void **state)
{
	static const char *const typos[] = { "\"", "{", "}", "[", "]", "(", ")", ";", ",", "=", "\n", "@include \"x\"", "/*", "#", "9999999999", "-", "L", "\\", "\xff", "\x01" };
	static struct told t;
	char path[512];
	unsigned taken = 0;

	(void)state;
	begin_drawing();
	in_folder(path, "drawn.in");
	for (int i = 0; i < 600; i++) {
		char *text = make_configuration(), *out = calloc(1, 2 * strlen(text) + 64);
		size_t n = strlen(text), at = draw((unsigned)n), gone = draw(3);
		const char *typo = typos[draw(nitems(typos))];
		struct conf *c;

		gone = at + gone > n ? n - at : gone;
		snprintf(out, 2 * n + 64, "%.*s%s%s", (int)at, text, draw(3) == 0 ? "" : typo, text + at + gone);
		write_all(path, out, strlen(out), 0600);
		if ((c = load("drawn.in", &t)) != NULL) {
			taken++;
			dump_parses_back(c);
		} else {
			assert_int_not_equal(t.n, 0);	/* never refused without a word */
		}
		conf_free(c);
		free(out);
		free(text);
	}
	print_message("%u of 600 were taken\n", taken);
	assert_in_range(taken, 1, 599);
	strlist_free(&shown);
}

#define MANY 10000

/* 10,000 switches, in both forms: in time, and each is found by its name. */
static void
many_switches_are_read_in_time(void **state)
{
	static struct told t;
	static const char head[] = "policy = [ \"policies/\" ];\ncredentials = ( { name = \"c\"; version = \"2c\"; community = \"a community\"; } );\n"
	    "switch_defaults = { credential = \"c\"; };\n";

	(void)state;
	for (int csv = 0; csv < 2; csv++) {
		char path[512], name[32], *text = NULL;
		struct timespec from, to;
		struct conf *c;
		size_t n;
		FILE *f = open_memstream(&text, &n);
		double s;

		fputs(csv ? "name,address,location\n" : head, f);
		fputs(csv ? "" : "switches = (", f);
		for (unsigned i = 0; i < MANY; i++)
			if (csv)
				fprintf(f, "sw-%u,10.%u.%u.1,floor 1\n", i, i / 200, i % 200);
			else
				fprintf(f, "%s { name = \"sw-%u\"; address = \"10.%u.%u.1\"; location = \"floor 1\"; }\n", i > 0 ? "," : "", i, i / 200, i % 200);
		fputs(csv ? "" : ");\n", f);
		fclose(f);
		in_folder(path, csv ? "many.csv" : "many.in");
		write_all(path, text, n, 0600);
		free(text);
		if (csv) {
			text = NULL;
			n = (size_t)asprintf(&text, "%sinventory = [ \"many.csv\" ];\n", head);
			in_folder(path, "many.in");
			write_all(path, text, n, 0600);
			free(text);
		}
		clock_gettime(CLOCK_MONOTONIC, &from);
		c = load("many.in", &t);
		assert_string_equal(t.text, "");
		assert_non_null(c);
		assert_int_equal(c->n_switches, MANY);
		for (unsigned i = 0; i < MANY; i++) {
			snprintf(name, sizeof name, "sw-%u", i);
			assert_ptr_equal(conf_switch(c, name), &c->switches[i]);
		}
		assert_null(conf_switch(c, "sw-10000"));
		clock_gettime(CLOCK_MONOTONIC, &to);
		s = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
		print_message("%s: %.3f s\n", csv ? "inventory" : "libconfig", s);
		assert_true(s < 5);
		conf_free(c);
	}
}

static void
versions_have_names(void **state)
{
	(void)state;
	assert_string_equal(conf_version_text(SNMP_V1), "1");
	assert_string_equal(conf_version_text(SNMP_V2C), "2c");
	assert_string_equal(conf_version_text(SNMP_V3), "3");
}

/* What notify is told, as notify has it. */
static struct conf *
for_notify(const char *text)
{
	static struct told t;
	char path[512];
	struct buf b = { 0 };
	struct conf *c, *told;

	in_folder(path, "receiver.in");
	write_all(path, text, strlen(text), 0600);
	c = load("receiver.in", &t);
	assert_string_equal(t.text, "");
	assert_non_null(c);
	conf_encode(c, CONF_FOR_NOTIFY, 0, &b);
	conf_free(c);
	told = conf_decode(b.p, b.len);
	assert_non_null(told);
	buf_free(&b);
	return told;
}

/* A reload leaves alone who is told the same, and nobody else. */
static void
same_receivers_are_the_same(void **state)
{
	static const char before[] = "policy = [ \"policies/\" ];\n"
	    "credentials = ( { name = \"x\"; version = \"2c\"; community = \"other\"; },\n"
	    " { name = \"c\"; version = \"3\"; user = \"u\"; auth = \"SHA-256\"; auth_secret = \"11111111\"; priv = \"AES-128\"; priv_secret = \"22222222\"; } );\n"
	    "receivers = ( { name = \"r\"; address = \"h.test:163\"; credential = \"c\"; inform = true; source_address = \"127.0.0.2\"; } );\n";
	static const struct { const char *from, *to; bool same; } changes[] = {
		{ "policy", "policy", true },
		{ "\"other\"", "\"changed\"", true },
		{ "receivers = (", "receivers = ( { name = \"first\"; address = \"h.test:163\"; credential = \"c\"; }, ", true },
		{ "auth_secret = \"11111111\"", "auth_secret_file = \"keys/same\"", true },
		{ "name = \"r\"", "name = \"q\"", false }, { "h.test", "i.test", false }, { ":163", "", false },
		{ "credential = \"c\"", "credential = \"x\"", false }, { "inform = true", "inform = false", false },
		{ " source_address = \"127.0.0.2\";", "", false }, { "127.0.0.2", "127.0.0.3", false },
		{ "user = \"u\"", "user = \"v\"", false }, { "SHA-256", "SHA-512", false }, { "AES-128", "AES-256", false },
		{ "\"11111111\"", "\"11111112\"", false }, { "\"22222222\"", "\"22222223\"", false },
		{ "auth_secret = \"11111111\"", "auth_secret_file = \"keys/other\"", false },
	};
	struct conf *was = for_notify(before);
	char path[512];

	(void)state;
	in_folder(path, "keys/same");
	write_all(path, "11111111\n", 9, 0600);
	in_folder(path, "keys/other");
	write_all(path, "11111113\n", 9, 0600);
	for (size_t i = 0; i < nitems(changes); i++) {
		char text[1024];
		const char *at = strstr(before, changes[i].from);
		struct conf *is;

		assert_non_null(at);
		snprintf(text, sizeof text, "%.*s%s%s", (int)(at - before), before, changes[i].to, at + strlen(changes[i].from));
		is = for_notify(text);
		if (conf_same_receiver(was, &was->receivers[0], is, &is->receivers[is->n_receivers - 1]) != changes[i].same)
			fail_msg("%s to %s: %s", changes[i].from, changes[i].to, changes[i].same ? "another" : "the same");
		conf_free(is);
	}
	conf_free(was);
}

/* A policy with `n` rules, one a line from line 2 on. */
static void
write_policy(const char *folder_name, unsigned number, unsigned n)
{
	char path[512], name[64], *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	fprintf(f, "name = \"p%u\"; title = \"t\"; dated = \"2020-01-01\"; rules = (", number);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%s\n{ vendor = \"v\"; organisation = \"o%u\"; basis = \"operator\"; source = \"s\"; dated = \"2020-01-01\"; }", i > 0 ? "," : "", i);
	fputs(" );\n", f);
	fclose(f);
	snprintf(name, sizeof name, "%s/%02u.conf", folder_name, number);
	in_folder(path, name);
	write_all(path, text, size, 0600);
	free(text);
}

/* What the engine would refuse to take is refused with its place; what is allowed reaches the engine. */
static void
policies_are_limited_where_they_are_written(void **state)
{
	static const char text[] = "agent = { pollers = 1; };\npolicy = [ \"limits/\" ];\n";
	static struct told t;
	struct conf *c, *engine;
	struct buf b = { 0 };
	char path[512];

	(void)state;
	in_folder(path, "limits");
	assert_int_equal(mkdir(path, 0700), 0);
	in_folder(path, "limits.in");
	write_all(path, text, sizeof text - 1, 0600);
	write_policy("limits", 0, POLICY_RULES_MAX - 100);
	for (unsigned i = 1; i < POLICY_SETS_MAX; i++)
		write_policy("limits", i, 0);
	write_policy("limits", 5, 100);
	c = load("limits.in", &t);
	assert_string_equal(t.text, "");
	assert_non_null(c);
	conf_encode(c, CONF_FOR_ENGINE, 0, &b);
	engine = conf_decode(b.p, b.len);
	assert_non_null(engine);
	assert_int_equal(engine->policies.n, POLICY_SETS_MAX);
	assert_int_equal(engine->policies.sets[0].n, POLICY_RULES_MAX - 100);
	assert_int_equal(engine->policies.sets[5].n, 100);
	buf_free(&b);
	conf_free(engine);
	conf_free(c);

	write_policy("limits", 5, 103);
	write_policy("limits", 6, 2);
	write_policy("limits", POLICY_SETS_MAX, 0);
	write_policy("limits", POLICY_SETS_MAX + 1, 0);
	assert_null(load("limits.in", &t));
	assert_string_equal(t.text, "limits.in:2: policy: limits/64.conf: more than 64 policies\n"
	    "limits/05.conf:102: rule 101: more than 20000 rules in all policies\n"
	    "limits/06.conf:2: rule 1: more than 20000 rules in all policies\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_of_files_hold), cmocka_unit_test(c5_what_is_weak_is_said),
		cmocka_unit_test(missing_file_is_told),
		cmocka_unit_test(roles_are_told_what_they_need),
		cmocka_unit_test(versions_have_names),
		cmocka_unit_test(pollers_share_the_switches),
		cmocka_unit_test(damaged_encodings_are_harmless),
		cmocka_unit_test(example_and_manual_name_every_key),
		cmocka_unit_test(manual_marks_what_is_not_in_this_version),
		cmocka_unit_test(example_loads),
		cmocka_unit_test(includes_stay_at_home),
		cmocka_unit_test(whatever_is_valid_is_printed_and_read_again),
		cmocka_unit_test(mistyped_texts_are_told_or_taken),
		cmocka_unit_test(many_switches_are_read_in_time),
		cmocka_unit_test(policies_are_limited_where_they_are_written),
		cmocka_unit_test(same_receivers_are_the_same),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
