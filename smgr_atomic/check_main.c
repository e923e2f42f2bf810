/*-------------------------------------------------------------------------
 *
 * check_main.c
 *	  smgr-atomic-check: what a directory promises about page writes, told
 *	  before anything is installed.
 *
 *-------------------------------------------------------------------------
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

#define PAGE_SIZE_DEFAULT 8192

enum
{
	EXIT_TORN_FREE = 0,
	EXIT_MAY_TEAR = 1,
	EXIT_USAGE = 2,
	EXIT_UNKNOWN = 3
};

static void
usage(FILE *out)
{
	fputs("smgr-atomic-check tells whether 8 KiB page writes to a directory can tear.\n\n"
		  "Usage: smgr-atomic-check [--json] [--page-size BYTES] DIRECTORY...\n\n"
		  "  --json              print one JSON object a line, one for each directory\n"
		  "  --page-size BYTES   page size of the server (default 8192)\n"
		  "  --help              show this help\n\n"
		  "Give it the data directory and every tablespace, or the directory where they\n"
		  "are to be made:\n"
		  "  smgr-atomic-check \"$PGDATA\" \"$PGDATA\"/pg_tblspc/*\n\n"
		  "Verdicts:\n"
		  "  hardware   the device writes a page whole or not at all\n"
		  "  software   the filesystem does (copy-on-write of XFS)\n"
		  "  none       page writes may tear, or nothing is known; the reason says what\n"
		  "             to change.  If the page journal works there, smgr_atomic makes\n"
		  "             them torn-free all the same, by writing most pages twice; if not,\n"
		  "             PostgreSQL needs full_page_writes = on\n\n"
		  "It writes pages to a file without a name in the directory, so it needs write\n"
		  "permission there, as the server's user has (sudo -u postgres); it need not be\n"
		  "root.  Nothing is left behind.\n\n"
		  "Exit status:\n"
		  "  0   every directory is torn-free, by itself or with the page journal\n"
		  "  1   page writes to at least one may tear\n"
		  "  2   wrong usage\n"
		  "  3   at least one could not be examined (no such directory, no permission,\n"
		  "      disk full), and none is known to tear\n", out);
}

/* Length of the UTF-8 character at c, 0 if it is none. */
static int
utf8_length(const unsigned char *c)
{
	int			length = *c < 0x80 ? 1 : *c < 0xc2 ? 0 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : *c < 0xf5 ? 4 : 0;

	for (int i = 1; i < length; i++)
	{
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	}
	/* overlong forms, surrogates, beyond U+10FFFF */
	if ((*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] > 0x9f) ||
		(*c == 0xf0 && c[1] < 0x90) || (*c == 0xf4 && c[1] > 0x8f))
		return 0;
	return length;
}

/* File names are bytes, JSON is UTF-8: what is not is replaced by U+FFFD. */
static void
json_string(const char *name, const char *value, const char *end)
{
	const unsigned char *c = (const unsigned char *) value;

	printf("\"%s\":\"", name);
	while (*c != '\0')
	{
		int			length = utf8_length(c);

		if (length == 0)
			fputs("\\ufffd", stdout);
		else if (*c == '"' || *c == '\\')
			printf("\\%c", *c);
		else if (*c < 0x20)
			printf("\\u%04x", *c);
		else
			printf("%.*s", length, (const char *) c);
		c += length == 0 ? 1 : length;
	}
	printf("\"%s", end);
}

static void
print_json(const SaProbe *probe, const char *kernel)
{
	printf("{");
	json_string("path", probe->path, ",");
	json_string("filesystem", probe->filesystem, ",");
	json_string("device", probe->device, ",");
	json_string("kernel", kernel, ",");
	printf("\"unit_min\":%u,\"unit_max\":%u,\"unit_max_opt\":%u,\"segments_max\":%u,"
		   "\"dio_mem_align\":%u,\"dio_offset_align\":%u,\"device_unit_max\":%u,",
		   probe->limits.unit_min, probe->limits.unit_max, probe->limits.unit_max_opt,
		   probe->limits.segments_max, probe->limits.dio_mem_align,
		   probe->limits.dio_offset_align, probe->device_unit_max);
	printf("\"examined\":%s,", probe->examined ? "true" : "false");
	json_string("verdict", sa_verdict_name(probe->verdict), ",");
	json_string("reason", probe->reason, ",");
	printf("\"writethrough\":%s,", probe->writethrough ? "true" : "false");
	json_string("writethrough_reason", probe->writethrough_reason, ",");
	printf("\"journal\":%s,", probe->journal ? "true" : "false");
	json_string("journal_reason", probe->journal_reason, "}\n");
}

static const char *
meaning(const SaProbe *probe)
{
	if (probe->verdict != SA_VERDICT_NONE)
		return "torn-free";
	if (!probe->examined)
		return "could not be examined";
	return probe->journal ? "torn-free with the page journal" : "page writes may tear";
}

static void
print_text(const SaProbe *probe, const char *kernel)
{
	printf("%s\n", probe->path);
	printf("  verdict      %s (%s)\n", sa_verdict_name(probe->verdict), meaning(probe));
	printf("  reason       %s\n", probe->reason);
	printf("  filesystem   %s on %s\n", probe->filesystem,
		   probe->device[0] != '\0' ? probe->device : "no device");
	printf("  kernel       %s\n", kernel);
	if (!probe->examined)
		return;
	printf("  atomic unit  %u to %u bytes (device: %u)\n",
		   probe->limits.unit_min, probe->limits.unit_max, probe->device_unit_max);
	printf("  journal      %s\n", probe->journal_reason);
	printf("  direct I/O   memory alignment %u, offset alignment %u bytes\n",
		   probe->limits.dio_mem_align, probe->limits.dio_offset_align);
}

/* A power of two between 512 and 65536, or 0. */
static uint32_t
parse_page_size(const char *text)
{
	char	   *end;
	unsigned long size = strtoul(text, &end, 10);

	if (*end != '\0' || size < 512 || size > 65536 || (size & (size - 1)) != 0)
		return 0;
	return (uint32_t) size;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"page-size", required_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}
	};
	uint32_t	page_size = PAGE_SIZE_DEFAULT;
	bool		json = false,
				may_tear = false,
				unknown = false;
	int			c;
	char		kernel[128];

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
	{
		switch (c)
		{
			case 'j':
				json = true;
				break;
			case 'p':
				page_size = parse_page_size(optarg);
				break;
			case 'h':
				usage(stdout);
				return EXIT_TORN_FREE;
			default:
				usage(stderr);
				return EXIT_USAGE;
		}
	}
	if (page_size == 0)
	{
		fputs("smgr-atomic-check: the page size must be a power of two from 512 to 65536\n", stderr);
		return EXIT_USAGE;
	}
	if (optind == argc)
	{
		usage(stderr);
		return EXIT_USAGE;
	}

	sa_probe_kernel(kernel, sizeof(kernel));
	for (int i = optind; i < argc; i++)
	{
		SaProbe		probe;

		sa_probe_directory(argv[i], page_size, sa_probe_writethrough_flag(), &probe);
		if (json)
			print_json(&probe, kernel);
		else
			print_text(&probe, kernel);
		may_tear |= probe.verdict == SA_VERDICT_NONE && !probe.journal && probe.examined;
		unknown |= !probe.examined;
	}
	return may_tear ? EXIT_MAY_TEAR : unknown ? EXIT_UNKNOWN : EXIT_TORN_FREE;
}
