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

static void
usage(FILE *out)
{
	fputs("smgr-atomic-check tells whether 8 KiB page writes to a directory can tear.\n\n"
		  "Usage: smgr-atomic-check [--json] [--page-size BYTES] DIRECTORY...\n\n"
		  "  --json              print one JSON object for each directory\n"
		  "  --page-size BYTES   page size of the server (default 8192)\n"
		  "  --help              show this help\n\n"
		  "It writes one page to a file without a name in the directory, so it needs\n"
		  "write permission there; nothing is left behind.\n\n"
		  "Exit status: 0 every directory is torn-free, 1 one is not, 2 wrong usage.\n", out);
}

static void
json_string(const char *name, const char *value, const char *end)
{
	printf("\"%s\":\"", name);
	for (const unsigned char *c = (const unsigned char *) value; *c != '\0'; c++)
	{
		if (*c == '"' || *c == '\\')
			printf("\\%c", *c);
		else if (*c < 0x20)
			printf("\\u%04x", *c);
		else
			putchar(*c);
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
	json_string("verdict", sa_verdict_name(probe->verdict), ",");
	json_string("reason", probe->reason, "}\n");
}

static void
print_text(const SaProbe *probe, const char *kernel)
{
	printf("%s\n", probe->path);
	printf("  verdict      %s%s\n", sa_verdict_name(probe->verdict),
		   probe->verdict == SA_VERDICT_NONE ? " (page writes may tear)" : " (torn-free)");
	printf("  reason       %s\n", probe->reason);
	printf("  filesystem   %s on %s\n", probe->filesystem,
		   probe->device[0] != '\0' ? probe->device : "no device");
	printf("  kernel       %s\n", kernel);
	printf("  atomic unit  %u to %u bytes (device: %u)\n",
		   probe->limits.unit_min, probe->limits.unit_max, probe->device_unit_max);
	printf("  direct I/O   memory alignment %u, offset alignment %u bytes\n",
		   probe->limits.dio_mem_align, probe->limits.dio_offset_align);
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
	unsigned long page_size = PAGE_SIZE_DEFAULT;
	int			json = 0,
				unsafe = 0,
				c;
	char		kernel[128];

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
	{
		switch (c)
		{
			case 'j':
				json = 1;
				break;
			case 'p':
				page_size = strtoul(optarg, NULL, 10);
				break;
			case 'h':
				usage(stdout);
				return 0;
			default:
				usage(stderr);
				return 2;
		}
	}
	if (optind == argc || page_size < 512 || page_size > 65536 || (page_size & (page_size - 1)) != 0)
	{
		usage(stderr);
		return 2;
	}

	sa_probe_kernel(kernel, sizeof(kernel));
	for (int i = optind; i < argc; i++)
	{
		SaProbe		probe;

		sa_probe_directory(argv[i], (uint32_t) page_size, sa_probe_writethrough_flag(), &probe);
		if (json)
			print_json(&probe, kernel);
		else
			print_text(&probe, kernel);
		unsafe |= probe.verdict == SA_VERDICT_NONE;
	}
	return unsafe;
}
