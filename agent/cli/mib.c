/* agent/cli/mib.c: the module as shipped, carried inside the program, and the same under another root. */
#include "cli/mib.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"

#define DEFAULT_ROOT "1.3.6.1.4.1.8072.9999.9999.7162"
#define ENTERPRISES "1.3.6.1.4.1."
#define ARCS_MAX 16

/* The file's octets, put here by the assembler; the build names the file. */
__asm__(".section .rodata\n"
	".global camtrapd_mib_text\n"
	"camtrapd_mib_text:\n"
	".incbin \"" CAMTRAPD_MIB_FILE "\"\n"
	".byte 0\n"
	".previous\n");
extern const char camtrapd_mib_text[];

/* What ties the shipped module to the playpen, each once in it. */
static const char import_node[] = "    Unsigned32, Counter32, Gauge32\n";
static const char import_playpen[] = "        FROM IF-MIB                        -- RFC 2863\n    netSnmpPlaypen\n        FROM NET-SNMP-MIB;\n";
static const char identity[] = "    ::= { netSnmpPlaypen 7162 }\n";

/* The numbers below enterprises: at least two, so that the module never claims a whole enterprise. Their count; 0: not such a root. */
static size_t
arcs_of(const char *root, char arcs[ARCS_MAX][12])
{
	size_t n = 0;

	if (strncmp(root, ENTERPRISES, strlen(ENTERPRISES)) != 0)
		return 0;
	for (const char *p = root + strlen(ENTERPRISES);; n++) {
		size_t len = strcspn(p, ".");
		uint64_t v;

		if (n == ARCS_MAX || len == 0 || len >= sizeof arcs[0])
			return 0;
		memcpy(arcs[n], p, len);
		arcs[n][len] = '\0';
		if (num_parse(arcs[n], 0, UINT32_MAX, &v) < 0)
			return 0;
		if (p[len] == '\0')
			return n >= 1 ? n + 1 : 0;
		p += len + 1;
	}
}

/* Prints up to where `mark` stands and returns what follows it. */
static const char *
print_until(const char *text, const char *mark)
{
	const char *at = strstr(text, mark);

	if (at == NULL)
		return NULL;
	fwrite(text, 1, (size_t)(at - text), stdout);
	return at + strlen(mark);
}

int
cmd_mib(const char *root)
{
	char arcs[ARCS_MAX][12];
	const char *p = camtrapd_mib_text;
	size_t n;

	if (strcmp(root, DEFAULT_ROOT) == 0) {
		fputs(p, stdout);
		return 0;
	}
	if ((n = arcs_of(root, arcs)) == 0) {
		fprintf(stderr, "camtrapctl: mib_root \"%s\" is not an OID below an enterprise (%sNUMBER.…)\n", root, ENTERPRISES);
		return 2;
	}
	if ((p = print_until(p, import_node)) == NULL)
		return 2;
	printf("    Unsigned32, Counter32, Gauge32, enterprises\n");
	if ((p = print_until(p, import_playpen)) == NULL)
		return 2;
	printf("        FROM IF-MIB;                       -- RFC 2863\n");
	if ((p = print_until(p, identity)) == NULL)
		return 2;
	printf("    ::= { camtrapdArc%zu %s }\n\n", n - 1, arcs[n - 1]);
	for (size_t i = 0; i + 1 < n; i++) {
		if (i == 0)
			printf("camtrapdArc1 OBJECT IDENTIFIER ::= { enterprises %s }\n", arcs[0]);
		else
			printf("camtrapdArc%zu OBJECT IDENTIFIER ::= { camtrapdArc%zu %s }\n", i + 1, i, arcs[i]);
	}
	fputs(p, stdout);
	return 0;
}
