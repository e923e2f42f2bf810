/*-------------------------------------------------------------------------
 *
 * powerdisk.c
 *	  A disk that loses power: serves one image file through FUSE, with the
 *	  write cache of cache.c between the writer and the image.
 *
 * The mount holds one file, "disk".  A loop device with direct I/O sits on it:
 * its REQ_OP_FLUSH becomes fsync on the file, which becomes disk_flush().  The
 * kernel emulates FUA (RWF_DSYNC, journal commits) with a flush after the
 * write, because a loop device has no FUA.  Discard and write-zeroes are
 * refused; the kernel writes zeros instead, through the model like any data.
 *
 * Commands come through a Unix socket, one line each; powerctl is the client.
 *
 *-------------------------------------------------------------------------
 */
#define FUSE_USE_VERSION 312

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cache.h"

#define DISK_PATH "/disk"
#define MAX_SETTINGS 32
#define NSEC 1000000000

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

static Disk *disk;
static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t disk_size;
static FILE *request_log;
static FILE *data_log;

/* pace, 0 = unlimited; under pace_lock */
static pthread_mutex_t pace_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t latency_us;
static uint64_t iops;
static uint64_t bandwidth;		/* bytes per second */
static int64_t busy_until;		/* CLOCK_MONOTONIC, ns */

/* ---- pace ------------------------------------------------------------- */

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * NSEC + t.tv_nsec;
}

/*
 * Waits as long as the modelled drive would take.  The limits on rate serve
 * one request after the other; the latency comes on top and overlaps.
 */
static void
pace(size_t bytes)
{
	int64_t		cost = 0;
	int64_t		until;
	struct timespec t;

	pthread_mutex_lock(&pace_lock);
	if (iops > 0)
		cost = (int64_t) (NSEC / iops);
	if (bandwidth > 0 && (int64_t) (bytes * NSEC / bandwidth) > cost)
		cost = (int64_t) (bytes * NSEC / bandwidth);
	until = now_ns();
	if (cost > 0)
	{
		if (busy_until < until)
			busy_until = until;
		busy_until += cost;
		until = busy_until;
	}
	until += (int64_t) latency_us * 1000;
	pthread_mutex_unlock(&pace_lock);

	if (until <= now_ns())
		return;
	t.tv_sec = until / NSEC;
	t.tv_nsec = until % NSEC;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

/* ---- the file --------------------------------------------------------- */

static void *
fs_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	conn->max_write = 1024 * 1024;
	conn->want |= conn->capable & FUSE_CAP_ASYNC_DIO;
	cfg->nullpath_ok = 0;
	cfg->attr_timeout = 3600;
	return NULL;
}

static int
fs_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	(void) fi;
	memset(st, 0, sizeof(*st));
	if (strcmp(path, "/") == 0)
	{
		st->st_mode = S_IFDIR | 0700;
		st->st_nlink = 2;
		return 0;
	}
	if (strcmp(path, DISK_PATH) != 0)
		return -ENOENT;
	st->st_mode = S_IFREG | 0600;
	st->st_nlink = 1;
	st->st_size = (off_t) disk_size;
	st->st_blocks = (blkcnt_t) (disk_size / 512);
	return 0;
}

static int
fs_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t off,
		   struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	(void) path;
	(void) off;
	(void) fi;
	(void) flags;
	fill(buf, ".", NULL, 0, 0);
	fill(buf, "..", NULL, 0, 0);
	fill(buf, DISK_PATH + 1, NULL, 0, 0);
	return 0;
}

static int
fs_open(const char *path, struct fuse_file_info *fi)
{
	if (strcmp(path, DISK_PATH) != 0)
		return -ENOENT;
	fi->direct_io = 1;			/* the kernel must not hold a cache of its own */
	return 0;
}

static int
fs_read(const char *path, char *buf, size_t len, off_t off, struct fuse_file_info *fi)
{
	int			rc;

	(void) path;
	(void) fi;
	if ((uint64_t) off >= disk_size)
		return 0;
	if (len > disk_size - (uint64_t) off)
		len = disk_size - (uint64_t) off;
	pace(len);
	pthread_mutex_lock(&disk_lock);
	rc = disk_read(disk, buf, len, (uint64_t) off);
	pthread_mutex_unlock(&disk_lock);
	return rc == 0 ? (int) len : rc;
}

static int
fs_write(const char *path, const char *buf, size_t len, off_t off, struct fuse_file_info *fi)
{
	int			rc;

	(void) path;
	(void) fi;
	pace(len);
	pthread_mutex_lock(&disk_lock);
	rc = disk_write(disk, buf, len, (uint64_t) off);
	pthread_mutex_unlock(&disk_lock);
	return rc == 0 ? (int) len : rc;
}

static int
fs_fsync(const char *path, int datasync, struct fuse_file_info *fi)
{
	int			rc;

	(void) path;
	(void) datasync;
	(void) fi;
	pace(0);
	pthread_mutex_lock(&disk_lock);
	rc = disk_flush(disk);
	pthread_mutex_unlock(&disk_lock);
	return rc;
}

/* no fallocate: the kernel answers EOPNOTSUPP to discard and write-zeroes */
static const struct fuse_operations operations = {
	.init = fs_init,
	.getattr = fs_getattr,
	.readdir = fs_readdir,
	.open = fs_open,
	.read = fs_read,
	.write = fs_write,
	.fsync = fs_fsync,
};

/* ---- commands --------------------------------------------------------- */

static int
set_pace(const char *name, const char *value)
{
	uint64_t	n;
	uint64_t   *target;

	if (strcmp(name, "latency") == 0)
		target = &latency_us;
	else if (strcmp(name, "iops") == 0)
		target = &iops;
	else if (strcmp(name, "bandwidth") == 0)
		target = &bandwidth;
	else
		return -ENOENT;
	if (!parse_size(value, &n))
		return -EINVAL;
	pthread_mutex_lock(&pace_lock);
	*target = n;
	pthread_mutex_unlock(&pace_lock);
	return 0;
}

static int
set(const char *name, const char *value)
{
	int			rc = set_pace(name, value);

	return rc == -ENOENT ? disk_set(disk, name, value) : rc;
}

static void
flush_logs(void)
{
	if (request_log)
		fflush(request_log);
	if (data_log)
		fflush(data_log);
}

/* Runs one command under the lock; 0 or -errno. */
static int
command(char *line, FILE *to)
{
	char	   *save;
	const char *verb = strtok_r(line, " \n", &save);
	const char *name = verb ? strtok_r(NULL, " \n", &save) : NULL;
	const char *value = name ? strtok_r(NULL, " \n", &save) : NULL;

	if (verb == NULL)
		return -EINVAL;
	if (strcmp(verb, "status") == 0)
		disk_status(disk, to);
	else if (strcmp(verb, "cut") == 0)
		return disk_cut(disk, "command");
	else if (strcmp(verb, "power-on") == 0)
		return disk_power_on(disk);
	else if (strcmp(verb, "flush-log") == 0)
		flush_logs();
	else if (strcmp(verb, "set") == 0 && value != NULL)
		return set(name, value);
	else
		return -EINVAL;
	return 0;
}

static void
serve(int fd)
{
	FILE	   *stream = fdopen(fd, "r+");
	char		line[256];
	int			rc;

	if (stream == NULL)
	{
		close(fd);
		return;
	}
	if (fgets(line, sizeof(line), stream) != NULL)
	{
		fseek(stream, 0, SEEK_CUR);		/* from reading to writing */
		pthread_mutex_lock(&disk_lock);
		rc = command(line, stream);
		pthread_mutex_unlock(&disk_lock);
		if (rc == 0)
			fprintf(stream, "ok\n");
		else
			fprintf(stream, "error: %s\n", strerror(-rc));
	}
	fclose(stream);
}

static void *
control_thread(void *arg)
{
	int			listener = *(int *) arg;

	for (;;)
	{
		int			fd = accept(listener, NULL, NULL);

		if (fd >= 0)
			serve(fd);
		else if (errno != EINTR && errno != ECONNABORTED)
			return NULL;
	}
}

static int
listen_on(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int			fd;

	if (strlen(path) >= sizeof(addr.sun_path))
	{
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	unlink(path);
	if (bind(fd, (struct sockaddr *) &addr, sizeof(addr)) != 0 ||
		chmod(path, 0600) != 0 || listen(fd, 8) != 0)
	{
		close(fd);
		return -1;
	}
	return fd;
}

/* ---- start ------------------------------------------------------------ */

typedef struct Arguments
{
	DiskOptions disk;
	const char *image;
	const char *mountpoint;
	const char *control;
	const char *log;
	bool		log_data;
	bool		foreground;
	const char *settings[MAX_SETTINGS];		/* name, value, name, value, ... */
	int			nsettings;
} Arguments;

static void
usage(FILE *to)
{
	fprintf(to,
			"powerdisk - a disk that loses power\n"
			"\n"
			"Usage (as root): powerdisk [OPTION]... IMAGE MOUNTPOINT\n"
			"\n"
			"Serves IMAGE as the file MOUNTPOINT/disk, through a model of a drive with a\n"
			"volatile write cache.  Writes live in the cache until a flush (fsync of the\n"
			"file) makes them durable, that is, writes them to IMAGE.  When power is cut,\n"
			"each unflushed write survives or is lost sector by sector, as a generator with\n"
			"a seed decides; from then on every request fails with EIO until power is on.\n"
			"Put a loop device with direct I/O on the file and a filesystem on that:\n"
			"\n"
			"  powerdisk --size 2G disk.img mnt\n"
			"  losetup --direct-io=on --sector-size 4096 --find --show mnt/disk\n"
			"  powerctl disk.img.ctl cut\n"
			"  powerctl disk.img.ctl power-on\n"
			"  fusermount3 -u mnt        (ends powerdisk; what is not flushed is lost)\n"
			"\n"
			"  --size BYTES         size of the disk; default: size of IMAGE.  IMAGE is\n"
			"                       created, sparse, when it does not exist\n"
			"  --sector BYTES       what survives or vanishes whole: 512 or 4096 (default)\n"
			"  --atomic-unit BYTES  aligned units of this size survive or vanish whole as\n"
			"                       far as one request covers them: a drive with hardware\n"
			"                       atomicity\n"
			"  --cache BYTES        size of the write cache (default 256M); when it is\n"
			"                       full the oldest writes become durable\n"
			"  --control SOCKET     default IMAGE.ctl\n"
			"  --log FILE           log of writes, flushes, cuts and what each cut kept\n"
			"                       and lost; reads are not logged\n"
			"  --log-data           also keep the bytes of all writes in FILE.data, so\n"
			"                       that powerreplay can make the same image again\n"
			"  --foreground         do not go to the background\n"
			"  --help\n"
			"\n"
			"Settings, as --NAME VALUE here or \"powerctl SOCKET set NAME VALUE\" later:\n"
			"%s"
			"  latency US        every request takes so many microseconds\n"
			"  iops N            so many requests a second (0 = no limit)\n"
			"  bandwidth BYTES   so many bytes a second (0 = no limit)\n"
			"\n"
			"Numbers may end in k, M or G (powers of 1024).  Default seed 1, survive 50.\n"
			"An armed cut or error is used up when it happens; counts start at the moment\n"
			"of setting.  A setting holds across cuts, except the two that cut.\n",
			disk_settings_help());
}

static void
fail(const char *what)
{
	fprintf(stderr, "powerdisk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
bad(const char *option, const char *value)
{
	fprintf(stderr, "powerdisk: bad value \"%s\" for --%s\n", value, option);
	exit(2);
}

enum
{
	OPT_SIZE = 256, OPT_SECTOR, OPT_UNIT, OPT_CACHE, OPT_CONTROL, OPT_LOG,
	OPT_LOG_DATA, OPT_FOREGROUND, OPT_HELP, OPT_SETTING, OPT_SEED, OPT_SURVIVE
};

static const struct option long_options[] = {
	{"size", required_argument, NULL, OPT_SIZE},
	{"sector", required_argument, NULL, OPT_SECTOR},
	{"atomic-unit", required_argument, NULL, OPT_UNIT},
	{"cache", required_argument, NULL, OPT_CACHE},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"log", required_argument, NULL, OPT_LOG},
	{"log-data", no_argument, NULL, OPT_LOG_DATA},
	{"foreground", no_argument, NULL, OPT_FOREGROUND},
	{"help", no_argument, NULL, OPT_HELP},
	{"seed", required_argument, NULL, OPT_SEED},
	{"survive", required_argument, NULL, OPT_SURVIVE},
	{"cut-unflushed", required_argument, NULL, OPT_SETTING},
	{"cut-write", required_argument, NULL, OPT_SETTING},
	{"eio-write", required_argument, NULL, OPT_SETTING},
	{"eio-range", required_argument, NULL, OPT_SETTING},
	{"capacity", required_argument, NULL, OPT_SETTING},
	{"full", required_argument, NULL, OPT_SETTING},
	{"latency", required_argument, NULL, OPT_SETTING},
	{"iops", required_argument, NULL, OPT_SETTING},
	{"bandwidth", required_argument, NULL, OPT_SETTING},
	{NULL, 0, NULL, 0}
};

static uint64_t
number(const char *option, const char *value, uint64_t max)
{
	uint64_t	n;

	if (!parse_size(value, &n) || n > max)
		bad(option, value);
	return n;
}

static void
one_option(Arguments *a, int c, const char *name)
{
	switch (c)
	{
		case OPT_SIZE:
			a->disk.size = number(name, optarg, INT64_MAX);
			break;
		case OPT_SECTOR:
			a->disk.sector = (uint32_t) number(name, optarg, 1 << 20);
			break;
		case OPT_UNIT:
			a->disk.atomic_unit = (uint32_t) number(name, optarg, 1 << 20);
			break;
		case OPT_CACHE:
			a->disk.cache_limit = number(name, optarg, INT64_MAX);
			break;
		case OPT_SEED:
			a->disk.seed = number(name, optarg, UINT64_MAX);
			break;
		case OPT_SURVIVE:
			a->disk.survive = (uint32_t) number(name, optarg, 100);
			break;
		case OPT_CONTROL:
			a->control = optarg;
			break;
		case OPT_LOG:
			a->log = optarg;
			break;
		case OPT_LOG_DATA:
			a->log_data = true;
			break;
		case OPT_FOREGROUND:
			a->foreground = true;
			break;
		case OPT_SETTING:
			if (a->nsettings + 2 > MAX_SETTINGS)
				bad(name, "too many settings");
			a->settings[a->nsettings++] = name;
			a->settings[a->nsettings++] = optarg;
			break;
		case OPT_HELP:
			usage(stdout);
			exit(0);
		default:
			fprintf(stderr, "Try \"powerdisk --help\".\n");
			exit(2);
	}
}

static void
read_arguments(Arguments *a, int argc, char **argv)
{
	int			c;
	int			which = 0;

	while ((c = getopt_long(argc, argv, "", long_options, &which)) != -1)
		one_option(a, c, long_options[which].name);
	if (argc - optind != 2)
	{
		usage(stderr);
		exit(2);
	}
	if (a->log_data && a->log == NULL)
	{
		fprintf(stderr, "powerdisk: --log-data needs --log\n");
		exit(2);
	}
	a->image = argv[optind];
	a->mountpoint = argv[optind + 1];
}

static FILE *
open_log(const char *name, const char *suffix)
{
	char		path[4096];
	FILE	   *f;

	snprintf(path, sizeof(path), "%s%s", name, suffix);
	f = fopen(path, "we");
	if (f == NULL)
		fail(path);
	return f;
}

/* Opens image and logs, makes the model; exits when that cannot be done. */
static void
open_disk(Arguments *a)
{
	struct stat st;
	int			fd = open(a->image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || fstat(fd, &st) != 0)
		fail(a->image);
	if (a->disk.size == 0)
		a->disk.size = (uint64_t) st.st_size;
	if ((uint64_t) st.st_size < a->disk.size && ftruncate(fd, (off_t) a->disk.size) != 0)
		fail(a->image);
	if (a->log)
		request_log = open_log(a->log, "");
	if (a->log_data)
		data_log = open_log(a->log, ".data");
	disk_size = a->disk.size;
	disk = disk_open(fd, &a->disk, request_log, data_log);
	if (disk == NULL)
		fail("size, sector, atomic unit or survive is out of range, or they do not fit together");
	for (int i = 0; i < a->nsettings; i += 2)
		if (set(a->settings[i], a->settings[i + 1]) != 0)
			bad(a->settings[i], a->settings[i + 1]);
}

/* Serves until unmounted.  The control thread starts after the fork. */
static int
run(const Arguments *a, struct fuse *fuse, int listener)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	pthread_t	thread;
	int			rc;

	if (fuse_set_signal_handlers(fuse_get_session(fuse)) != 0 ||
		fuse_daemonize(a->foreground) != 0 ||
		pthread_create(&thread, NULL, control_thread, &listener) != 0)
		return 1;

	/* writing the image must not wait for writes that wait for this process */
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	rc = fuse_loop_mt(fuse, config);
	fuse_loop_cfg_destroy(config);
	fuse_remove_signal_handlers(fuse_get_session(fuse));
	return rc != 0;
}

/* Full paths, because a daemon's working directory is the root. */
static const char *
absolute(const char *path)
{
	char		cwd[4096];
	char	   *full;

	if (path[0] == '/')
		return path;
	if (getcwd(cwd, sizeof(cwd)) == NULL || asprintf(&full, "%s/%s", cwd, path) < 0)
		fail("current directory");
	return full;
}

int
main(int argc, char **argv)
{
	Arguments	a = {
		.disk = {.sector = 4096, .survive = 50, .seed = 1, .cache_limit = 256 << 20}
	};
	char	   *fuse_argv[] = {argv[0], "-ofsname=powerdisk,subtype=powerdisk", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, fuse_argv);
	struct fuse *fuse;
	char	   *control;
	int			listener;
	int			rc;

	read_arguments(&a, argc, argv);
	if (a.control == NULL)
	{
		if (asprintf(&control, "%s.ctl", a.image) < 0)
			fail("memory");
		a.control = control;
	}
	a.control = absolute(a.control);
	open_disk(&a);
	listener = listen_on(a.control);
	if (listener < 0)
		fail(a.control);
	fuse = fuse_new(&args, &operations, sizeof(operations), NULL);
	if (fuse == NULL || fuse_mount(fuse, a.mountpoint) != 0)
	{
		unlink(a.control);
		return 1;
	}
	rc = run(&a, fuse, listener);
	fuse_unmount(fuse);
	fuse_destroy(fuse);
	pthread_mutex_lock(&disk_lock);		/* held to the end: no more commands */
	flush_logs();
	unlink(a.control);
	return rc;
}
