/* agent/model/registry.c: the IEEE's assignments, from its CSV files and from Wireshark's manuf; the newest file wins per block. */
#include "model/registry.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"

#define FILES_MAX 48			/* 16 in the configuration, each oui.csv with two beside it */
#define FILE_OCTETS_MAX (64 << 20)
#define PIECE_OCTETS (64 << 10)		/* far more than a line has */

struct block { uint64_t prefix; uint32_t name; uint8_t file; };		/* prefix: the top bits, at the bottom of the number */
struct blocks { unsigned bits; struct block *v; size_t n, cap; };

struct registry {
	struct blocks		 blocks[3];	/* 36, 28, 24 bits: the longest first */
	char			*names;		/* one after the other, NUL-terminated; an offset names one */
	size_t			 names_len, names_cap, last_name;
	struct registry_file	 files[FILES_MAX];
	char			*paths[FILES_MAX];
	size_t			 n_files;
	bool			 no_memory;
};

struct registry *
registry_new(void)
{
	struct registry *r = calloc(1, sizeof *r);

	if (r != NULL)
		r->blocks[0].bits = 36, r->blocks[1].bits = 28, r->blocks[2].bits = 24;
	return r;
}

void
registry_free(struct registry *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < nitems(r->blocks); i++)
		free(r->blocks[i].v);
	for (size_t i = 0; i < r->n_files; i++)
		free(r->paths[i]);
	free(r->names);
	free(r);
}

static uint32_t
name_add(struct registry *r, const char *name)
{
	size_t n = strlen(name) + 1;

	/* manuf is in order of blocks, and makers have them in runs: the last name is the likeliest repetition. */
	if (r->names_len > 0 && strcmp(r->names + r->last_name, name) == 0)
		return (uint32_t)r->last_name;
	if (r->names_cap - r->names_len < n) {
		size_t cap = r->names_cap == 0 ? 1 << 16 : r->names_cap * 2;
		char *p = realloc(r->names, cap);

		if (p == NULL) {
			r->no_memory = true;
			return 0;
		}
		r->names = p;
		r->names_cap = cap;
	}
	memcpy(r->names + r->names_len, name, n);
	r->last_name = r->names_len;
	r->names_len += n;
	assert(r->names_len <= UINT32_MAX);	/* 48 files of 64 MiB, names only: far from it */
	return (uint32_t)r->last_name;
}

/* -1: no hexadecimal digit. */
static int
hex_value(char c)
{
	char low = c | 0x20;

	return c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* `digits` are 6, 7 or 9 hexadecimal digits. False: that is no block. */
static bool
block_add(struct registry *r, const char *digits, size_t n, const char *name, size_t name_len)
{
	struct blocks *b = n == 9 ? &r->blocks[0] : n == 7 ? &r->blocks[1] : n == 6 ? &r->blocks[2] : NULL;
	char clean[TEXT_MAX + 1];
	uint64_t prefix = 0;

	if (b == NULL || text_clean(clean, sizeof clean, name, name_len) == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		int value = hex_value(digits[i]);

		if (value < 0)
			return false;
		prefix = prefix << 4 | (uint64_t)value;
	}
	if (array_grow((void **)&b->v, b->n, &b->cap, sizeof *b->v) < 0) {
		r->no_memory = true;
		return false;
	}
	b->v[b->n++] = (struct block){ prefix, name_add(r, clean), (uint8_t)(r->n_files - 1) };
	return true;
}

/* A CSV field at *p: bare or in quotes with doubled quotes. Copies it into `out`, moves *p behind its comma. */
static size_t
csv_field(const char **p, const char *end, char *out, size_t size)
{
	bool quoted = *p < end && **p == '"';
	size_t n = 0;

	if (quoted)
		(*p)++;
	for (; *p < end; (*p)++) {
		if (quoted && **p == '"') {
			if (*p + 1 == end || (*p)[1] != '"') {
				(*p)++;
				break;
			}
			(*p)++;
		} else if (!quoted && **p == ',')
			break;
		if (n + 1 < size)
			out[n++] = **p;
	}
	while (*p < end && **p != ',')
		(*p)++;
	if (*p < end)
		(*p)++;
	out[n] = '\0';
	return n;
}

/* "MA-L,002272,American Micro-Fuel Device Corp.,address": the address is other people's streets and is not looked at. */
static bool
csv_line(struct registry *r, const char *p, const char *end)
{
	char kind[8], digits[16], name[TEXT_MAX + 1];
	size_t n, want;

	csv_field(&p, end, kind, sizeof kind);
	n = csv_field(&p, end, digits, sizeof digits);
	want = strcmp(kind, "MA-L") == 0 ? 6 : strcmp(kind, "MA-M") == 0 ? 7 : strcmp(kind, "MA-S") == 0 ? 9 : 0;
	if (n != want)
		return false;
	return block_add(r, digits, n, name, csv_field(&p, end, name, sizeof name));
}

static const char *
tab_or(const char *p, const char *end)
{
	const char *tab = memchr(p, '\t', (size_t)(end - p));

	return tab != NULL ? tab : end;
}

/* "04:03:12<TAB>Short<TAB>Long name" or "2C:16:BD:60:00:00/28<TAB>…". */
static bool
manuf_line(struct registry *r, const char *p, const char *end)
{
	const char *tab = memchr(p, '\t', (size_t)(end - p)), *name, *name_end;
	char digits[13];
	size_t n = 0, want = 6;
	uint64_t bits;
	char text[4];

	if (tab == NULL)
		return false;
	for (; p < tab && *p != '/'; p++) {
		if (*p == ':' || *p == '-')
			continue;
		if (n == 12)
			return false;
		digits[n++] = *p;
	}
	if (*p == '/') {
		size_t len = (size_t)(tab - p - 1);

		if (len == 0 || len >= sizeof text)
			return false;
		memcpy(text, p + 1, len);
		text[len] = '\0';
		if (num_parse(text, 24, 36, &bits) < 0 || bits % 4 != 0 || n < bits / 4)
			return false;
		want = bits / 4;
	} else if (n != 6) {
		return false;		/* one well-known address, not a block */
	}
	name = tab + 1;
	name_end = tab_or(name, end);
	if (name_end < end && tab_or(name_end + 1, end) > name_end + 1) {	/* the long name; some lines have only a short one */
		name = name_end + 1;
		name_end = tab_or(name, end);	/* a remark may follow */
	}
	return block_add(r, digits, want, name, (size_t)(name_end - name));
}

/* manuf names the date of each list it was made from: the newest of them. */
static void
manuf_date(const char *p, const char *end, struct wall *dated)
{
	static const char mark[] = "#   Last-Modified: ";
	char text[40];
	struct tm tm = { 0 };
	size_t n = (size_t)(end - p);

	if (n < sizeof mark || n - (sizeof mark - 1) >= sizeof text || memcmp(p, mark, sizeof mark - 1) != 0)
		return;
	memcpy(text, p + sizeof mark - 1, n - (sizeof mark - 1));
	text[n - (sizeof mark - 1)] = '\0';
	if (strptime(text, "%a, %d %b %Y %H:%M:%S", &tm) != NULL && (int64_t)timegm(&tm) * 1000000 > dated->us)
		dated->us = (int64_t)timegm(&tm) * 1000000;
}

/* What is read of one file. */
struct reading { bool csv, begun, inside; struct wall own; };	/* inside: a line that is too long to be one */

/* 0, -EINVAL: `text`, the begin of the file, is of no known format; -ENOMEM. */
static int
file_begin(struct registry *r, struct reading *in, const char *path, const char *text, size_t n, struct wall dated)
{
	static const char header[] = "Registry,Assignment,Organization Name";

	*in = (struct reading){ .csv = n >= sizeof header - 1 && memcmp(text, header, sizeof header - 1) == 0 };
	if (r->n_files == FILES_MAX || (!in->csv && (n == 0 || (text[0] != '#' && memchr(text, '\t', n) == NULL))))
		return -EINVAL;
	if ((r->paths[r->n_files] = strdup(path)) == NULL) {
		r->no_memory = true;
		return -ENOMEM;
	}
	r->files[r->n_files] = (struct registry_file){ r->paths[r->n_files], dated, 0, 0 };
	r->n_files++;
	return 0;
}

static void
line_add(struct registry *r, struct reading *in, const char *line, const char *eol)
{
	struct registry_file *f = &r->files[r->n_files - 1];
	const char *stop = eol > line && eol[-1] == '\r' ? eol - 1 : eol;
	bool header = in->csv && !in->begun, rest = in->inside;

	in->begun = true;
	in->inside = false;
	if (line == stop || header || rest)
		return;
	if (*line == '#')
		manuf_date(line, stop, &in->own);
	else if (in->csv ? csv_line(r, line, stop) : manuf_line(r, line, stop))
		f->entries++;
	else
		f->refused++;
}

/* The lines of `text`; the last one only if it has an end, or `all`. What is left of it. */
static size_t
lines_add(struct registry *r, struct reading *in, const char *text, size_t n, bool all)
{
	const char *end = text + n, *line = text, *eol;

	for (; line < end && ((eol = memchr(line, '\n', (size_t)(end - line))) != NULL || all); line = eol + 1) {
		if (eol == NULL)
			eol = end;
		line_add(r, in, line, eol);
		if (eol == end)
			return 0;
	}
	return (size_t)(end - line);
}

static int
file_end(struct registry *r, const struct reading *in)
{
	if (in->own.us != 0)
		r->files[r->n_files - 1].dated = in->own;
	return r->no_memory ? -ENOMEM : 0;
}

int
registry_add(struct registry *r, const char *path, const char *text, size_t n, struct wall dated)
{
	struct reading in;
	int rc = file_begin(r, &in, path, text, n, dated);

	if (rc < 0)
		return rc;
	lines_add(r, &in, text, n, true);
	return file_end(r, &in);
}

/* By prefix, a digit of 12 bits after the other from the last; those of one prefix stay in the order they were read in. 0 or -ENOMEM. */
static int
blocks_sort(struct blocks *b)
{
	enum { DIGIT = 12, DIGITS = 1 << DIGIT };
	struct block *from = b->v, *to = calloc(b->n + 1, sizeof *to);

	if (to == NULL)
		return -ENOMEM;
	for (unsigned shift = 0; shift < b->bits; shift += DIGIT) {
		size_t at[DIGITS + 1] = { 0 };
		struct block *swap = from;

		for (size_t i = 0; i < b->n; i++)
			at[(from[i].prefix >> shift) % DIGITS + 1]++;
		for (size_t i = 0; i < DIGITS; i++)
			at[i + 1] += at[i];
		for (size_t i = 0; i < b->n; i++)
			to[at[(from[i].prefix >> shift) % DIGITS]++] = from[i];
		from = to;
		to = swap;
	}
	free(to);
	b->v = from;
	return 0;
}

/* Of two for one prefix the one of the newer file, and of the same file the later line. */
static bool
is_newer(const struct registry *r, const struct block *a, const struct block *than)
{
	return r->files[a->file].dated.us >= r->files[than->file].dated.us;
}

int
registry_finish(struct registry *r)
{
	for (size_t i = 0; i < nitems(r->blocks); i++) {
		struct blocks *b = &r->blocks[i];
		size_t kept = 0;

		if (b->n > 0 && blocks_sort(b) < 0)
			return -ENOMEM;
		for (size_t k = 0; k < b->n; k++)
			if (kept == 0 || b->v[kept - 1].prefix != b->v[k].prefix)
				b->v[kept++] = b->v[k];
			else if (is_newer(r, &b->v[k], &b->v[kept - 1]))
				b->v[kept - 1] = b->v[k];
		b->n = kept;
	}
	return 0;
}

static const struct block *
block_find(const struct blocks *b, uint64_t prefix)
{
	size_t low = 0, high = b->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (b->v[mid].prefix == prefix)
			return &b->v[mid];
		if (b->v[mid].prefix < prefix)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

struct registry_match
registry_lookup(const struct registry *r, struct mac m)
{
	struct registry_match none = { NULL, 0, NULL };

	if (r == NULL || mac_is_local(m) || mac_is_group(m))
		return none;
	for (size_t i = 0; i < nitems(r->blocks); i++) {
		const struct block *b = block_find(&r->blocks[i], mac_u64(m) >> (48 - r->blocks[i].bits));

		if (b != NULL)
			return (struct registry_match){ r->names + b->name, r->blocks[i].bits, r->paths[b->file] };
	}
	return none;
}

const struct registry_file *
registry_files(const struct registry *r, size_t *count)
{
	*count = r != NULL ? r->n_files : 0;
	return r != NULL ? r->files : NULL;
}

/* ---- files */

static FILE *
file_open(const char *path, struct wall *mtime)
{
	FILE *f = fopen(path, "re");
	struct stat st;

	if (f == NULL)
		return NULL;
	if (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > FILE_OCTETS_MAX) {
		fclose(f);
		return NULL;
	}
	mtime->us = (int64_t)st.st_mtime * 1000000;
	return f;
}

/* ieee-data keeps the time of its download beside the files. */
static void
lastupdate(const char *path, struct wall *dated)
{
	const char *slash = strrchr(path, '/');
	char beside[512], number[20] = "";
	struct wall ignored;
	uint64_t seconds;
	FILE *f;

	if (slash == NULL || (size_t)snprintf(beside, sizeof beside, "%.*s/.lastupdate", (int)(slash - path), path) >= sizeof beside ||
	    (f = file_open(beside, &ignored)) == NULL)
		return;
	if (fgets(number, sizeof number, f) != NULL) {
		number[strcspn(number, "\r\n")] = '\0';
		if (num_parse(number, 1, 4102444800u, &seconds) == 0)
			dated->us = (int64_t)seconds * 1000000;
	}
	fclose(f);
}

/* In pieces: whole, the file would be the largest thing that the engine of a small network ever had in memory. */
static int
file_lines(struct registry *r, const char *path, FILE *f, char *piece, struct wall dated)
{
	size_t kept = 0, n = fread(piece, 1, PIECE_OCTETS, f);
	struct reading in;
	int rc = file_begin(r, &in, path, piece, n, dated);

	if (rc < 0)
		return rc;
	while (n > 0) {
		bool last = kept + n < PIECE_OCTETS;	/* fread() gives less only at the end */

		n += kept;
		kept = lines_add(r, &in, piece, n, last);
		if (kept == n && !last) {		/* no line is so long */
			r->files[r->n_files - 1].refused += !in.inside;
			in.inside = true;
			kept = 0;
		}
		memmove(piece, piece + n - kept, kept);
		n = last ? 0 : fread(piece + kept, 1, PIECE_OCTETS - kept, f);
	}
	lines_add(r, &in, piece, kept, true);
	rc = file_end(r, &in);
	return rc == 0 && ferror(f) ? -EIO : rc;	/* what was read of it serves all the same */
}

static bool
file_add(struct registry *r, const char *path)
{
	struct wall dated = { 0 };
	FILE *f = file_open(path, &dated);
	char *piece = malloc(PIECE_OCTETS);
	int rc = -ENOENT;

	if (piece == NULL)
		r->no_memory = true;
	else if (f != NULL) {
		lastupdate(path, &dated);
		if ((rc = file_lines(r, path, f, piece, dated)) == -EINVAL)
			log_warnx("%s: neither the IEEE's CSV nor Wireshark's manuf", path);
	}
	if (f != NULL)
		fclose(f);
	free(piece);
	return rc == 0;
}

struct registry *
registry_load(const char *const *paths, size_t n, size_t *missing)
{
	struct registry *r = registry_new();

	*missing = 0;
	for (size_t i = 0; r != NULL && i < n; i++) {
		static const char *const siblings[] = { "mam.csv", "oui36.csv" };
		const char *slash = strrchr(paths[i], '/');
		char beside[512];

		if (!file_add(r, paths[i])) {
			log_warnx("registry %s cannot be read", paths[i]);
			(*missing)++;
		}
		for (size_t k = 0; slash != NULL && strcmp(slash, "/oui.csv") == 0 && k < nitems(siblings); k++) {
			snprintf(beside, sizeof beside, "%.*s/%s", (int)(slash - paths[i]), paths[i], siblings[k]);
			file_add(r, beside);
		}
	}
	if (r == NULL || r->no_memory || registry_finish(r) < 0) {
		registry_free(r);
		return NULL;
	}
	return r;
}
