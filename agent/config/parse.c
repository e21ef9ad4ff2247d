/* agent/config/parse.c: libconfig → structs, along the schema. Every mistake is collected with its file and line.
 * libconfig 1.5 wraps integers silently, so the text is looked at first (scan.c). What holds between keys is in check.c. */
#include "config/load.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/text.h"

const char *
load_intern(struct loader *l, const char *file)
{
	for (size_t i = 0; i < l->files.n; i++) {
		if (strcmp(l->files.v[i], file) == 0)
			return l->files.v[i];
	}
	if (strlist_add(&l->files, file, strlen(file)) < 0) {
		l->oom = true;
		return "?";
	}
	return l->files.v[l->files.n - 1];
}

static char *__attribute__((format(printf, 2, 0)))
where_text(const struct where *w, const char *fmt, va_list ap)
{
	char number[32], *text = NULL, *line = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		return NULL;
	snprintf(number, sizeof number, " %zu", w->index + 1);
	if (asprintf(&line, "%s:%u: %s%s%s%s%s%s%s%s", w->file, w->line, w->what != NULL ? w->what : "",
	    w->what != NULL && w->name != NULL ? " \"" : "", w->what != NULL && w->name != NULL ? w->name : "",
	    w->what != NULL && w->name != NULL ? "\"" : w->what != NULL && w->index != SIZE_MAX ? number : "",
	    w->what != NULL ? ": " : "", w->key != NULL ? w->key : "", w->key != NULL ? ": " : "", text) < 0)
		line = NULL;
	for (char *p = line; p != NULL && *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';		/* one mistake is one line, whatever stands in the file */
	}
	free(text);
	return line;
}

void
mistake(const struct where *w, const char *fmt, ...)
{
	struct loader *l = w->l;
	struct mistake *m;
	char *line;
	va_list ap;

	assert(l != NULL && w->file != NULL);

	va_start(ap, fmt);
	line = where_text(w, fmt, ap);
	va_end(ap);
	if (line == NULL || array_grow((void **)&l->mistakes, l->n_mistakes, &l->cap_mistakes, sizeof *l->mistakes) < 0) {
		free(line);
		l->oom = true;
		return;
	}
	m = &l->mistakes[l->n_mistakes];
	*m = (struct mistake){ .text = line, .line = w->line, .seq = l->n_mistakes++ };
	while (m->file < l->files.n && l->files.v[m->file] != w->file)
		m->file++;
}

void
warning(const struct where *w, const char *fmt, ...)
{
	va_list ap;
	char *line;

	va_start(ap, fmt);
	line = where_text(w, fmt, ap);
	va_end(ap);
	if (line == NULL || strlist_add(&w->l->c->warnings, line, strlen(line)) < 0)
		w->l->oom = true;
	free(line);
}

char *
load_path(struct loader *l, const char *name)
{
	char *path;

	if (asprintf(&path, "%s%s", name[0] == '/' ? "" : l->folder, name) < 0) {
		l->oom = true;
		return NULL;
	}
	return path;
}

/* ---- hints ---- */

static size_t
edit_distance(const char *a, const char *b)
{
	size_t row[65], n = strlen(b);

	if (n > 64 || strlen(a) > 64)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 1; j <= n; j++) {
			size_t best = diagonal + (a[i] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

const char *
hint(char *out, size_t size, const char *have, const char *const *names, size_t n)
{
	size_t best = SIZE_MAX, at = 0, d;

	out[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		if ((d = edit_distance(have, names[i])) < best) {
			best = d;
			at = i;
		}
	}
	if (best < strlen(have) && (best <= 2 || best <= (strlen(have) + 1) / 3))
		snprintf(out, size, "; did you mean \"%s\"?", names[at]);
	return out;
}

const char *
hint_key(char *out, size_t size, const char *have, const struct conf_key *keys, unsigned only, const char *also)
{
	const char *names[GROUP_KEYS_MAX + 1];
	size_t n = 0;

	for (; keys->name != NULL && n < GROUP_KEYS_MAX; keys++) {
		if (only == 0 || (keys->flags & only))
			names[n++] = keys->name;
	}
	if (also != NULL)
		names[n++] = also;
	return hint(out, size, have, names, n);
}

/* ---- one value ---- */

static bool
clean(const struct where *w, const struct conf_key *k, const char *text)
{
	char copy[256];
	size_t n = strlen(text);

	if (n < k->min && k->kind != K_HOST && k->kind != K_MATCH) {
		mistake(w, n == 0 ? "is empty" : "%zu octets are too few: at least %zu", n, (size_t)k->min);
		return false;
	}
	if (n > k->max) {
		mistake(w, "%zu octets are too many: at most %zu", n, (size_t)k->max);
		return false;
	}
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			mistake(w, "has a control character");
			return false;
		}
	}
	if (n < sizeof copy && !(k->flags & F_SECRET)) {
		text_clean(copy, sizeof copy, text, n);
		if (strcmp(copy, text) != 0) {
			mistake(w, "has blanks at an end or in a row, or is not clean UTF-8");
			return false;
		}
	}
	return true;
}

#define ENTERPRISES "1.3.6.1.4.1"
#define ROOT_OCTETS_MAX 20		/* encoded: notify/varbinds.h says why */

/* Below an enterprise's number, as camtrapctl mib can put it into a module, and short enough for notifications. */
static bool
is_root(const struct where *w, const char *text)
{
	const char *p = text;
	uint64_t arc;
	char part[16];
	size_t octets = 5, arcs = 0, n;		/* those of ENTERPRISES */

	if (strncmp(p, ENTERPRISES ".", strlen(ENTERPRISES) + 1) != 0)
		goto bad;
	for (p += strlen(ENTERPRISES); *p == '.'; p += n) {
		n = strcspn(++p, ".");
		snprintf(part, sizeof part, "%.*s", n < sizeof part ? (int)n : 0, p);
		if (num_parse(part, 0, UINT32_MAX, &arc) < 0 || (part[0] == '0' && n > 1))
			goto bad;
		for (arcs++; arc > 127; arc >>= 7)
			octets++;
		octets++;
	}
	if (arcs < 2)
		goto bad;
	if (octets > ROOT_OCTETS_MAX) {
		mistake(w, "\"%s\" takes %zu octets in a notification; at most %d", text, octets, ROOT_OCTETS_MAX);
		return false;
	}
	return true;
bad:
	mistake(w, "\"%s\" is not an object identifier below an enterprise's number, such as \"" ENTERPRISES ".32473.1\"", text);
	return false;
}

static bool
set_string(const struct where *w, char **out, const char *text, size_t n)
{
	free(*out);
	if ((*out = strndup(text, n)) == NULL)
		w->l->oom = true;
	return *out != NULL;
}

static bool
set_enum(const struct where *w, const struct conf_key *k, void *obj, const char *text)
{
	char all[160] = "", near[96];
	const char *names[16];
	size_t n = 0;

	for (const struct key_name *e = k->names; e->text != NULL; e++) {
		if (strcmp(e->text, text) == 0) {
			key_enum_set(k, obj, e->value);
			return true;
		}
		snprintf(all + strlen(all), sizeof all - strlen(all), "%s\"%s\"", n == 0 ? "" : ", ", e->text);
		names[n++] = e->text;
	}
	mistake(w, "\"%s\" is none of %s%s", text, all, hint(near, sizeof near, text, names, n));
	return false;
}

/* Ends in a number, as no name of a host does. */
static bool
is_numeric(const char *name)
{
	const char *last = strrchr(name, '.');

	last = last == NULL ? name : last + 1;
	return last[strspn(last, "0123456789")] == '\0';
}

/* Not an address that one host could have: unspecified, multicast or broadcast. */
static bool
is_host(const struct ip *ip)
{
	static const struct ip none6 = { .family = 6 };

	return ip->family == 4 ? ip->b[0] != 0 && ip->b[0] < 224 : ip->b[0] != 0xff && !ip_eq(ip, &none6);
}

static bool
set_host(const struct where *w, const struct conf_key *k, void *obj, const char *text)
{
	const char *host = text, *port = NULL;
	size_t n = strlen(text);
	uint64_t v = k->min;
	struct ip ip;
	char name[256];

	if (text[0] == '[') {
		const char *end = strchr(text, ']');

		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			goto bad;
		host = text + 1;
		n = (size_t)(end - host);
		port = end[1] == ':' ? end + 2 : NULL;
	} else if (strchr(text, ':') != NULL && strchr(text, ':') == strrchr(text, ':')) {
		port = strchr(text, ':') + 1;
		n = (size_t)(port - 1 - text);
	}
	if (n == 0 || n >= sizeof name || (port != NULL && num_parse(port, 1, 65535, &v) < 0))
		goto bad;
	memcpy(name, host, n);
	name[n] = '\0';
	if (strchr(name, ':') != NULL || text[0] == '[') {
		if (ip_parse(name, &ip) < 0 || ip.family != 6)
			goto bad;
	} else if (ip_parse(name, &ip) < 0 && is_numeric(name)) {
		goto bad;			/* "192.0.2.300", and "127.1", which a resolver would take */
	} else if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != n || name[0] == '-' || name[0] == '.') {
		goto bad;
	}
	*(uint16_t *)((char *)obj + k->off2) = (uint16_t)v;
	return set_string(w, (char **)((char *)obj + k->off), name, n);
bad:
	mistake(w, "\"%s\" is no name or address with a port from 1 to 65535, such as \"192.0.2.100:162\" or \"[2001:db8::7]:162\"", text);
	return false;
}

static bool
set_match(const struct where *w, const struct conf_key *k, void *obj, const char *text)
{
	unsigned kind = (unsigned)k->min, digits = 0, had;

	if (text[0] == '\0') {
		mistake(w, "is empty");
		return false;
	}
	memcpy(&had, (char *)obj + k->off2, sizeof had);
	if (had != 0) {
		mistake(w, "a rule has exactly one of organisation, text and prefix");
		return false;
	}
	if (kind == RULE_PREFIX) {
		for (size_t i = 0; text[i] != '\0'; i++) {
			if (strchr("0123456789abcdefABCDEF", text[i]) != NULL)
				digits++;
			else if ((text[i] != ':' && text[i] != '-') || digits % 2 != 0 || digits == 0)
				digits = 99;
		}
		if (digits < 6 || digits > 12) {
			mistake(w, "\"%s\" is no MAC block of 24 to 48 bits, such as \"44:19:b6\"", text);
			return false;
		}
	}
	memcpy((char *)obj + k->off2, &kind, sizeof kind);
	return set_string(w, (char **)((char *)obj + k->off), text, strlen(text));
}

/* One member of a list. */
static bool
set_member(const struct where *w, const struct conf_key *k, void *obj, const char *text)
{
	struct strlist *list = (struct strlist *)((char *)obj + k->off);
	char *path = NULL, address[IP_TEXT], *slash;
	struct ip_port a;
	struct ip ip;
	uint64_t bits;
	bool ok;

	if (k->kind == K_IPS) {
		size_t *n = (size_t *)((char *)obj + k->off2);
		void *grown;

		if (ip_parse(text, &ip) < 0 || !is_host(&ip)) {
			mistake(w, "\"%s\" is not the literal address of a host", text);
			return false;
		}
		if ((grown = realloc(*(void **)((char *)obj + k->off), (*n + 1) * sizeof ip)) == NULL) {
			w->l->oom = true;
			return false;
		}
		*(void **)((char *)obj + k->off) = grown;
		((struct ip *)grown)[(*n)++] = ip;
		return true;
	}
	if (text[0] == '\0' || strlen(text) > (k->kind == K_FILES ? 2048 : 255)) {
		mistake(w, text[0] == '\0' ? "has an empty text in its list" : "has a text of over %d octets in its list", k->kind == K_FILES ? 2048 : 255);
		return false;
	}
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			mistake(w, "has a control character");
			return false;
		}
	}
	if (k->kind == K_LISTEN && (ip_port_parse(text, 0, &a) < 0 || a.port == 0)) {
		mistake(w, "\"%s\" is not a literal address with a port, such as \"127.0.0.1:5514\"", text);
		return false;
	}
	if (k->kind == K_NETS) {
		snprintf(address, sizeof address, "%s", text);
		if ((slash = strchr(address, '/')) != NULL)
			*slash = '\0';
		if (ip_parse(address, &ip) < 0 || (slash != NULL && num_parse(slash + 1, 0, 8 * ip_len(&ip), &bits) < 0)) {
			mistake(w, "\"%s\" is no literal address or network, such as \"192.0.2.0/24\"", text);
			return false;
		}
	}
	for (size_t i = 0; i < list->n && k->kind == K_TEXTS; i++) {
		if (strcmp(list->v[i], text) == 0) {
			mistake(w, "\"%s\" stands there twice", text);
			return false;
		}
	}
	if (k->kind == K_FILES && (path = load_path(w->l, text)) != NULL)
		text = path;
	if (!(ok = strlist_add(list, text, strlen(text)) == 0))
		w->l->oom = true;
	free(path);
	return ok;
}

bool
set_text(const struct where *w, const struct conf_key *k, void *obj, const char *text)
{
	char *at = (char *)obj + k->off, *path;
	struct strlist *list = (struct strlist *)at;
	struct ip ip;
	uint64_t v;
	char d1[24], d2[24];

	switch (k->kind) {
	case K_TEXT:
		if ((k->flags & F_SECRET) && strcmp(text, "***") == 0)
			return set_string(w, (char **)at, text, 3);
		if (!clean(w, k, text))
			return false;
		if ((k->flags & F_ABSOLUTE) && text[0] != '/') {
			mistake(w, "\"%s\" must begin with \"/\"", text);
			return false;
		}
		if ((k->flags & F_OID) && !is_root(w, text))
			return false;
		if (text[0] == '\0' && k->dflt == NULL)		/* nothing said */
			return true;
		return set_string(w, (char **)at, text, strlen(text));
	case K_FILE:
		if (!clean(w, k, text) || (path = load_path(w->l, text)) == NULL)
			return false;
		free(*(char **)at);
		*(char **)at = path;
		return true;
	case K_DURATION:
		if (duration_parse(text, &v) < 0 || v % 1000 != 0) {
			mistake(w, "\"%s\" is not a duration of whole seconds, such as \"300s\", \"5m\", \"12h\" or \"30d\"", text);
			return false;
		}
		if (v / 1000 < k->min || v / 1000 > k->max) {
			mistake(w, "\"%s\" is outside %s..%s", text, duration_text(k->min * 1000, d1), duration_text(k->max * 1000, d2));
			return false;
		}
		*(uint32_t *)at = (uint32_t)(v / 1000);
		return true;
	case K_UINT:
		if (num_parse(text, k->min, k->max, &v) < 0) {
			mistake(w, "%s %s is outside %llu..%llu %s", text, k->unit, (unsigned long long)k->min, (unsigned long long)k->max, k->unit);
			return false;
		}
		*(uint32_t *)at = (uint32_t)v;
		return true;
	case K_BOOL:
		*(bool *)at = strcmp(text, "true") == 0;
		return true;
	case K_ENUM:
		return set_enum(w, k, obj, text);
	case K_ADDRESS:
		if (ip_port_parse(text, (uint16_t)k->min, (struct ip_port *)at) < 0 || !is_host(&((struct ip_port *)at)->ip)) {
			*(struct ip_port *)at = (struct ip_port){ 0 };
			mistake(w, "\"%s\" is not the literal address of a host, such as \"192.0.2.7\", \"192.0.2.7:161\" or \"[2001:db8::7]:161\"", text);
			return false;
		}
		return true;
	case K_IP:
		if (text[0] != '\0' && (ip_parse(text, &ip) < 0 || !is_host(&ip))) {
			mistake(w, "\"%s\" is not the literal address of a host", text);
			return false;
		}
		if (text[0] != '\0')
			*(struct ip *)at = ip;
		return true;
	case K_HOST:
		return set_host(w, k, obj, text);
	case K_MATCH:
		return set_match(w, k, obj, text);
	case K_ONE:
		if (!clean(w, k, text))
			return false;
		if (strlist_add(list, text, strlen(text)) < 0)
			w->l->oom = true;
		return true;
	default:
		return set_member(w, k, obj, text);
	}
}

void
set_default(struct loader *l, const struct conf_key *k, void *obj)
{
	struct where w = { .l = l, .file = "default", .key = k->name };
	char part[256];
	size_t n;

	if (k->dflt == NULL || k->kind == K_ONE)
		return;
	switch (k->kind) {
	case K_TEXTS: case K_FILES: case K_LISTEN: case K_NETS:
		for (const char *p = k->dflt; *p != '\0'; p += n + (p[n] == ' ')) {
			n = strcspn(p, " ");
			snprintf(part, sizeof part, "%.*s", (int)n, p);
			set_member(&w, k, obj, part);
		}
		break;
	case K_IPS: case K_VLANS:
		break;			/* the default is none */
	default:
		set_text(&w, k, obj, k->dflt);
	}
}

/* ---- settings ---- */

/* libconfig names an included file as it opened it, or as it was written; the scan has interned all of them in full. */
const char *
load_known(struct loader *l, const char *file)
{
	size_t n = strlen(l->folder);

	for (size_t i = 0; i < l->files.n; i++) {
		const char *known = l->files.v[i];

		if (strcmp(known, file) == 0 || (strncmp(known, l->folder, n) == 0 && strcmp(known + n, file) == 0))
			return known;
	}
	return load_intern(l, file);
}

const char *
setting_file(struct loader *l, const config_setting_t *s)
{
	const char *file = config_setting_source_file(s);

	/* Parsed from memory: NULL is the file itself, which is the last one begun. */
	return file == NULL ? l->single.file : load_known(l, file);
}

static const char *
kind_words(const struct conf_key *k)
{
	switch (k->kind) {
	case K_UINT:	return "a whole number";
	case K_BOOL:	return "true or false";
	case K_DURATION:return "a duration in quotes, such as \"300s\"";
	case K_VLANS:	return "a list of VLAN numbers in [ ]";
	case K_TEXTS: case K_FILES: case K_LISTEN: case K_NETS: case K_IPS:
		return "a list of texts in [ ]";
	default:	return "a text in quotes";
	}
}

/* ---- what this version does nothing with ---- */

/* Not an empty list or text, nor the least number: that is what is done anyhow. */
static bool
asks_for_something(const struct conf_key *k, const void *obj)
{
	const char *at = (const char *)obj + k->off;

	switch (k->kind) {
	case K_TEXTS: case K_FILES: case K_LISTEN: case K_NETS:
		return ((const struct strlist *)at)->n > 0;
	case K_TEXT:
		return *(char *const *)at != NULL && **(char *const *)at != '\0';
	case K_UINT:
		return *(const uint32_t *)at > k->min;
	default:
		return true;
	}
}

/* `what`: the row of the schema. 10,000 switches that say it are one warning. */
static void
not_yet(const struct where *w, const void *what)
{
	struct loader *l = w->l;
	struct not_yet *t = l->not_yet;

	while (t < l->not_yet + l->n_not_yet && t->what != what)
		t++;
	if (t < l->not_yet + l->n_not_yet) {
		t->more++;
		return;
	}
	assert(l->n_not_yet < NOT_YET_MAX);
	*t = (struct not_yet){ .what = what, .warning = l->c->warnings.n };
	l->n_not_yet++;
	warning(w, "not in this version, has no effect");
}

static void
not_yet_counted(struct loader *l)
{
	for (size_t i = 0; i < l->n_not_yet && !l->oom; i++) {
		char **first = &l->c->warnings.v[l->not_yet[i].warning], *text;

		if (l->not_yet[i].more == 0)
			continue;
		if (asprintf(&text, "%s (and %zu more like it)", *first, l->not_yet[i].more) < 0) {
			l->oom = true;
			return;
		}
		free(*first);
		*first = text;
	}
}

/* The integer as it was written, where libconfig wrapped it to `v`; NULL: it is `v`. */
static const char *
overflow_text(const struct where *w, long long v)
{
	for (size_t i = 0; i < w->l->n_overflows; i++) {
		struct overflow *o = &w->l->overflows[i];

		if (o->file == w->file && o->line == w->line && o->wrapped == v && !o->told) {
			o->told = true;
			return o->text;
		}
	}
	return NULL;
}

/* Those in places where no key expects an integer, and all of a file that was not read to its end. */
static void
overflows_untold(struct loader *l)
{
	for (size_t i = 0; i < l->n_overflows; i++) {
		const struct overflow *o = &l->overflows[i];
		struct where w = { .l = l, .file = o->file, .line = o->line, .key = o->key[0] != '\0' ? o->key : NULL };

		if (!o->told)
			mistake(&w, "the number %s is out of range", o->text);
	}
}

static void
set_vlan(const struct where *w, const struct conf_key *k, void *obj, const config_setting_t *e)
{
	uint16_t **v = (uint16_t **)((char *)obj + k->off), *grown;
	size_t *n = (size_t *)((char *)obj + k->off2);
	long long vlan = config_setting_get_int64(e);
	const char *big = overflow_text(w, vlan);

	if (big != NULL) {
		mistake(w, "%s is outside %d..%d", big, (int)k->min, (int)k->max);
		return;
	}
	if (vlan < (long long)k->min || vlan > (long long)k->max) {
		mistake(w, "%lld is outside %d..%d", vlan, (int)k->min, (int)k->max);
		return;
	}
	if (*n >= 4094 || (grown = realloc(*v, (*n + 1) * sizeof *grown)) == NULL) {
		w->l->oom = true;
		return;
	}
	*v = grown;
	grown[(*n)++] = (uint16_t)vlan;
}

static void
set_list(const struct where *w, const struct conf_key *k, void *obj, const config_setting_t *s)
{
	int type = config_setting_type(s), n = config_setting_length(s);

	if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) {
		mistake(w, "must be %s", kind_words(k));
		return;
	}
	if (k->kind != K_VLANS && (uint64_t)n > k->max) {
		mistake(w, "has %d entries; at most %d", n, (int)k->max);
		return;
	}
	for (int i = 0; i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		int t = config_setting_type(e);
		struct where at = *w;

		if (config_setting_source_line(e) != 0)
			at.line = config_setting_source_line(e);
		if (k->kind == K_VLANS ? t != CONFIG_TYPE_INT && t != CONFIG_TYPE_INT64 : t != CONFIG_TYPE_STRING) {
			mistake(&at, "must be %s", kind_words(k));
			return;
		}
		if (k->kind == K_VLANS)
			set_vlan(&at, k, obj, e);
		else
			set_member(&at, k, obj, config_setting_get_string(e));
	}
}

static void
set_key(const struct where *w, const struct conf_key *k, void *obj, const config_setting_t *s)
{
	int type = config_setting_type(s);
	const char *text, *big;
	char number[24];
	long long v;

	switch (k->kind) {
	case K_TEXTS: case K_FILES: case K_LISTEN: case K_NETS: case K_IPS: case K_VLANS:
		set_list(w, k, obj, s);
		return;
	case K_UINT:
		if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
			break;
		v = config_setting_get_int64(s);
		big = overflow_text(w, v);
		snprintf(number, sizeof number, "%lld", v);
		if (big != NULL || v < (long long)k->min || v > (long long)k->max)
			mistake(w, "%s %s is outside %lld..%lld %s", big != NULL ? big : number, k->unit, (long long)k->min, (long long)k->max, k->unit);
		else
			*(uint32_t *)((char *)obj + k->off) = (uint32_t)v;
		return;
	case K_BOOL:
		if (type != CONFIG_TYPE_BOOL)
			break;
		*(bool *)((char *)obj + k->off) = config_setting_get_bool(s) != 0;
		return;
	default:
		if (type != CONFIG_TYPE_STRING)
			break;
		text = config_setting_get_string(s);
		set_text(w, k, obj, text);
		if (k->flags & F_SECRET)
			explicit_bzero((char *)(uintptr_t)text, strlen(text));	/* libconfig's copy */
		return;
	}
	mistake(w, "must be %s", kind_words(k));
}

void
set_group(struct where *w, const config_setting_t *s, const struct conf_key *keys, void *obj, struct written *o,
    unsigned only, const char *also)
{
	char near[160];
	int n = config_setting_length(s);

	for (int i = 0; i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		const char *name = config_setting_name(e);
		const struct conf_key *k = key_find(keys, name);
		struct where at = *w;

		at.line = config_setting_source_line(e);
		at.file = setting_file(w->l, e);
		at.key = name;
		if (k == NULL || (only != 0 && !(k->flags & only))) {
			if (also != NULL && strcmp(also, name) == 0)
				continue;
			at.key = NULL;
			mistake(&at, "unknown key \"%s\"%s", name, hint_key(near, sizeof near, name, keys, only, also));
			continue;
		}
		assert(k - keys < GROUP_KEYS_MAX);
		o->key_line[k - keys] = at.line;
		set_key(&at, k, obj, e);
		if ((k->flags & F_NOT_YET) && asks_for_something(k, obj))
			not_yet(&at, k);
	}
	for (const struct conf_key *k = keys; k->name != NULL && only == 0; k++) {
		if ((k->flags & F_REQUIRED) && o->key_line[k - keys] == 0)
			mistake(w, "%s is missing", k->name);
	}
}

void *
load_element(struct loader *l, enum conf_group_id id, struct written **o)
{
	const struct conf_group *g = &conf_groups[id];
	void **array = (void **)((char *)l->c + g->off), *e;
	size_t *n = (size_t *)((char *)l->c + g->off_n);

	assert(g->what != NULL);		/* a list; single groups are in struct conf */
	if (array_grow(array, *n, &l->cap[id], g->size) < 0 ||
	    array_grow((void **)&l->origins[id], *n, &l->cap_origins[id], sizeof **l->origins) < 0) {
		l->oom = true;
		return NULL;
	}
	*o = &l->origins[id][*n];
	memset(*o, 0, sizeof **o);
	e = (char *)*array + g->size * (*n)++;
	memset(e, 0, g->size);
	return e;
}

/* What the switch itself does not say: switch_defaults, else the schema. */
void
set_switch_rest(struct loader *l, struct conf_switch *s, const struct written *o)
{
	const struct conf_key *keys = conf_groups[G_SWITCHES].keys;
	bool own_credentials = s->credentials.n > 0;

	assert(s == &l->c->switches[l->c->n_switches - 1]);	/* the newest: `o` is not stale */

	for (const struct conf_key *k = keys; k->name != NULL; k++) {
		char *to = (char *)s + k->off, *from = (char *)&l->defaults + k->off;

		if (o->key_line[k - keys] != 0 || (k->kind == K_ONE && own_credentials))
			continue;
		if (l->defaults_origin.key_line[k - keys] == 0) {
			set_default(l, k, s);
			continue;
		}
		if (k->kind == K_UINT || k->kind == K_DURATION) {
			memcpy(to, from, sizeof(uint32_t));
		} else if (k->kind == K_TEXT && *(char **)from != NULL) {
			if ((*(char **)to = strdup(*(char **)from)) == NULL)
				l->oom = true;
		} else if ((k->kind == K_TEXTS || k->kind == K_ONE) && !own_credentials) {
			const struct strlist *list = (const struct strlist *)from;

			for (size_t i = 0; i < list->n; i++)
				l->oom |= strlist_add((struct strlist *)to, list->v[i], strlen(list->v[i])) < 0;
			own_credentials = true;
		}
	}
}

static void
read_list(struct loader *l, enum conf_group_id id, const config_setting_t *s)
{
	const struct conf_group *g = &conf_groups[id];
	struct where w = { .l = l, .file = setting_file(l, s), .line = config_setting_source_line(s), .key = g->name };
	int type = config_setting_type(s), n = config_setting_length(s);

	if (type != CONFIG_TYPE_LIST && !(type == CONFIG_TYPE_ARRAY && n == 0)) {
		mistake(&w, "must be a list of groups: ( { … }, { … } )");
		return;
	}
	if ((g->flags & F_NOT_YET) && n > 0)
		not_yet(&w, g);
	w.what = g->what;
	w.key = NULL;
	for (int i = 0; i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		struct written *o;
		const char *name = NULL;
		void *obj;

		w.file = setting_file(l, e);
		w.line = config_setting_source_line(e);
		w.index = (size_t)i;
		w.name = NULL;
		if (config_setting_type(e) != CONFIG_TYPE_GROUP) {
			mistake(&w, "must be a group: { … }");
			continue;
		}
		if ((obj = load_element(l, id, &o)) == NULL)
			return;
		o->file = w.file;
		o->line = w.line;
		if (config_setting_lookup_string(e, "name", &name) && strlen(name) <= 64)
			w.name = name;
		set_group(&w, e, g->keys, obj, o, 0, NULL);
		if (id == G_SWITCHES)
			set_switch_rest(l, obj, o);
		for (const struct conf_key *k = g->keys; k->name != NULL && id != G_SWITCHES; k++) {
			if (o->key_line[k - g->keys] == 0)
				set_default(l, k, obj);
		}
		if (g->preset != NULL)
			g->preset(obj);
	}
}

/* A single group, or the keys at the top. */
static void
read_single(struct loader *l, enum conf_group_id id, const config_setting_t *s)
{
	const struct conf_group *g = &conf_groups[id];
	struct where w = { .l = l, .what = g->name, .index = SIZE_MAX };
	struct written o = { 0 };

	if (s != NULL) {
		w.file = setting_file(l, s);
		w.line = config_setting_source_line(s);
		if (config_setting_type(s) != CONFIG_TYPE_GROUP)
			mistake(&w, "must be a group: { … }");
		else
			set_group(&w, s, g->keys, l->c, &o, 0, NULL);
	}
	for (const struct conf_key *k = g->keys; k->name != NULL; k++) {
		if (o.key_line[k - g->keys] == 0)
			set_default(l, k, l->c);
	}
}

static void
read_top(struct loader *l, const config_setting_t *root)
{
	const struct conf_group *g = &conf_groups[G_TOP];
	const char *names[G_N + GROUP_KEYS_MAX];
	size_t n_names = 0;
	char near[160];
	int n = config_setting_length(root);

	names[n_names++] = "switch_defaults";
	for (size_t i = 0; i < G_N; i++) {
		if (i != G_TOP)
			names[n_names++] = conf_groups[i].name;
	}
	for (const struct conf_key *k = g->keys; k->name != NULL; k++)
		names[n_names++] = k->name;
	for (int i = 0; i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(root, (unsigned)i);
		const char *name = config_setting_name(e);
		const struct conf_key *k = key_find(g->keys, name);
		struct where w = { .l = l, .file = setting_file(l, e), .line = config_setting_source_line(e) };
		bool known = k != NULL;

		for (size_t j = 0; j < n_names; j++)
			known |= strcmp(names[j], name) == 0;
		if (!known)
			mistake(&w, "unknown key \"%s\"%s", name, hint(near, sizeof near, name, names, n_names));
		w.key = name;
		if (k == NULL)
			continue;
		set_key(&w, k, l->c, e);
	}
}

static void
read_named_files(struct loader *l, const config_setting_t *root)
{
	static const char *const keys[] = { "inventory", "policy" };
	const char *main_file = l->single.file;

	for (size_t i = 0; i < nitems(keys); i++) {
		const struct strlist *list = i == 0 ? &l->c->inventory : &l->c->policy_files;
		const config_setting_t *s = config_setting_get_member(root, keys[i]);
		struct where w = { .l = l, .key = keys[i] };

		if (s == NULL)
			continue;
		w.file = setting_file(l, s);
		w.line = config_setting_source_line(s);
		for (size_t j = 0; j < list->n; j++) {
			load_each(&w, list->v[j], ".conf", i == 0 ? ".csv" : NULL, i == 0 ? inventory_read : policy_read);
			l->single.file = main_file;
		}
	}
}

static void
read_root(struct loader *l, const config_setting_t *root)
{
	const config_setting_t *s;

	read_top(l, root);
	if ((s = config_setting_get_member(root, "switch_defaults")) != NULL) {
		struct where w = { .l = l, .file = setting_file(l, s), .line = config_setting_source_line(s), .what = "switch_defaults", .index = SIZE_MAX };

		if (config_setting_type(s) != CONFIG_TYPE_GROUP)
			mistake(&w, "must be a group: { … }");
		else
			set_group(&w, s, conf_groups[G_SWITCHES].keys, &l->defaults, &l->defaults_origin, F_INHERIT, NULL);
	}
	for (size_t i = 0; i < G_N; i++) {
		if (i == G_TOP)
			continue;
		s = config_setting_get_member(root, conf_groups[i].name);
		if (conf_groups[i].what == NULL)
			read_single(l, (enum conf_group_id)i, s);
		else if (s != NULL)
			read_list(l, (enum conf_group_id)i, s);
	}
	read_named_files(l, root);
}

/* ---- the whole ---- */

static int
mistake_order(const void *a, const void *b)
{
	const struct mistake *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->seq < y->seq ? -1 : 1;
}

static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = NULL, cwd[PATH_MAX];

	if (path[0] == '/')
		return strndup(path, (size_t)(slash - path) + 1);
	if (getcwd(cwd, sizeof cwd) == NULL || asprintf(&folder, "%s/%.*s", cwd, slash != NULL ? (int)(slash - path) + 1 : 0, path) < 0)
		return NULL;
	return folder;
}

/* *run_dir: also of a configuration with mistakes in other places; NULL when it is not known. */
static struct conf *
load(const char *path, conf_complain *complain, void *arg, char **run_dir)
{
	struct loader l = { .c = calloc(1, sizeof(struct conf)), .folder = folder_of(path) };
	struct conf *c = l.c;
	struct where w = { .l = &l };
	config_t cf;

	if (c == NULL || l.folder == NULL || (c->path = strdup(path)) == NULL) {
		l.oom = true;
	} else {
		w.file = load_intern(&l, path);
		if (load_libconfig(&l, &w, path, &cf)) {
			read_root(&l, config_root_setting(&cf));
			check_all(&l);
			not_yet_counted(&l);
			l.oom |= conf_index(c) < 0;
		}
		config_destroy(&cf);
	}
	overflows_untold(&l);
	if (l.n_mistakes > 0)
		qsort(l.mistakes, l.n_mistakes, sizeof *l.mistakes, mistake_order);
	for (size_t i = 0; i < l.n_mistakes; i++) {
		complain(arg, l.mistakes[i].text);
		free(l.mistakes[i].text);
	}
	if (l.oom)
		complain(arg, "out of memory");
	*run_dir = c != NULL && c->run_dir != NULL ? strdup(c->run_dir) : NULL;
	if (l.n_mistakes > 0 || l.oom) {
		conf_free(c);
		c = NULL;
	}
	keys_free(conf_groups[G_SWITCHES].keys, &l.defaults);
	for (size_t i = 0; i < G_N; i++)
		free(l.origins[i]);
	strlist_free(&l.files);
	strlist_free(&l.policy_paths);
	free(l.mistakes);
	free(l.overflows);
	free(l.folder);
	return c;
}

struct conf *
conf_load(const char *path, conf_complain *complain, void *arg)
{
	char *run_dir;
	struct conf *c = load(path, complain, arg, &run_dir);

	free(run_dir);
	return c;
}

static void
complain_not(void *arg, const char *line)
{
	(void)line;
	++*(size_t *)arg;
}

char *
conf_run_dir(const char *path, size_t *mistakes)
{
	char *run_dir;

	*mistakes = 0;
	conf_free(load(path, complain_not, mistakes, &run_dir));
	return run_dir;
}
