/*-------------------------------------------------------------------------
 *
 * journal_fuzz.c
 *	  Damaged journals against the reader (libFuzzer).
 *
 * The input is a list of damages done to a journal that was written properly:
 * sectors lost, bytes changed, blocks moved elsewhere, the file cut short, a
 * header changed and given a right checksum.  The reader must not crash, and
 * but for the last kind, which no disk does, must not accept a page under a key
 * that it was not written with.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "port/pg_crc32c.h"

#include "journal.h"

#define BLOCK SA_JOURNAL_BLOCK
#define SECTION_BLOCKS 9
#define FILE_SIZE (SA_JOURNAL_RING + SA_JOURNAL_SECTIONS * SECTION_BLOCKS * BLOCK)
#define RELATIONS 4
#define BATCHES 40				/* then a "forget", and some more */
#define DAMAGE 7				/* bytes of input for one */
#define REDO 38					/* copies of batches before it are void */

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char pristine[FILE_SIZE];
static char file[FILE_SIZE];
static size_t file_size;
static bool made;

/* A page says in itself what it is. */
typedef struct Content
{
	uint32		lsn[2];
	SaJournalKey key;
	uint64		sequence;
} Content;

/* Some pages have long runs of one byte, others hardly become smaller. */
static void
make_page(char *page, const Content *content, int number)
{
	uint32		random = (uint32) content->sequence * 7919 + number;

	memset(page, number, BLOCK);
	for (int i = 0; i < BLOCK && number % 2 == 1; i++)
		page[i] = (char) ((random = random * 1664525 + 1013904223) >> 24);
	memcpy(page, content, sizeof(*content));
}

/* Every other batch is packed. */
static void
write_batch(const SaJournalSuper *super, SaRing *ring, int count, int copies)
{
	SaJournalEntry entries[SECTION_BLOCKS] = {0};
	uint64		sequence = ring->next_sequence;
	bool		packed = sequence % 2 == 0 && copies > 1;
	uint32		start = packed ? sa_journal_packed_start(count) : BLOCK;
	uint32		bytes = start;
	SaRingPlace place;
	static uint64 room[(SECTION_BLOCKS + 1) * BLOCK / sizeof(uint64)];
	static char page[BLOCK];

	memset(room, 0, sizeof(room));
	for (int i = 0; i < count; i++)
	{
		SaJournalKey key = {1663, 1, (uint32) (sequence + i) % RELATIONS, i % 3, i};
		Content		content = {{0, (uint32) sequence}, key, sequence};

		make_page(page, &content, i);
		entries[i].key = key;
		entries[i].crc = sa_journal_page_crc(page);
		entries[i].lsn = sa_journal_page_lsn(page);
		if (i >= copies)
			continue;
		entries[i].length = BLOCK;
		if (packed)
			entries[i].length = sa_journal_pack(page, (char *) room + bytes);
		else
			memcpy((char *) room + bytes, page, BLOCK);
		bytes += entries[i].length;
	}
	while (!sa_ring_reserve(ring, count, copies, sa_journal_blocks(bytes), &place))
		sa_ring_retire(ring, 1);
	if (place.sequence != sequence)
		abort();
	sa_journal_encode_header(super, SA_JOURNAL_PAGES, &place, sequence, entries, count, copies, start, room);
	memcpy(pristine + place.offset, room, (size_t) sa_journal_blocks(bytes) * BLOCK);
	sa_ring_done(ring, place.section, count);
}

/* Pages of the nth batch, from 1, and copies among them. */
static int
pages_of(uint64 sequence)
{
	return sequence > BATCHES ? 2 : 1 + (int) (sequence - 1) % (SECTION_BLOCKS - 1);
}

static int
copies_of(uint64 sequence)
{
	return sequence > BATCHES ? 2 : pages_of(sequence) / (1 + (int) (sequence - 1) % 3);
}

static void
write_forget(const SaJournalSuper *super, SaRing *ring)
{
	SaJournalEntry entry = {.key = {1663, 1, 2, SA_JOURNAL_ANY_FORK, 0}};
	SaRingPlace place;
	static char block[BLOCK];

	while (!sa_ring_reserve(ring, 0, 0, 1, &place))
		sa_ring_retire(ring, 1);
	sa_journal_encode_header(super, SA_JOURNAL_FORGET, &place, place.sequence, &entry, 1, 0, BLOCK, block);
	memcpy(pristine + place.offset, block, BLOCK);
	sa_ring_done(ring, place.section, 1);
}

static void
make_pristine(void)
{
	SaJournalSuper super = {.system_identifier = 7, .uuid = "a file of a test", .generation = 3,
	.section_blocks = SECTION_BLOCKS};
	SaRing		ring;
	static char block[BLOCK];

	sa_ring_init(&ring, SECTION_BLOCKS);
	for (int i = 1; i <= BATCHES; i++)
		write_batch(&super, &ring, pages_of(i), copies_of(i));
	write_forget(&super, &ring);
	for (int i = 0; i < 3; i++)
		write_batch(&super, &ring, 2, 2);
	for (int slot = 0; slot < SA_JOURNAL_SUPER_SLOTS; slot++)
	{
		super.serial = slot;
		super.window_start = slot == 0 ? 1 : ring.sections[ring.tail].end_sequence;
		sa_journal_encode_super(&super, block);
		memcpy(pristine + sa_journal_super_offset(super.serial), block, BLOCK);
	}
}

static int
read_file(void *arg, uint64 offset, void *block)
{
	if (offset + BLOCK > file_size)
		return EIO;
	memcpy(block, file + offset, BLOCK);
	return 0;
}

static void
refresh_crc(SaJournalHeader *header)
{
	pg_crc32c	crc;

	header->crc = 0;
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, header, BLOCK);
	FIN_CRC32C(crc);
	header->crc = crc;
}

/* Returns whether a forgery was among them. */
static bool
do_damage(const uint8_t *data, size_t size)
{
	bool		forged = false;

	for (; size >= DAMAGE; data += DAMAGE, size -= DAMAGE)
	{
		uint32		at = (data[1] | data[2] << 8 | data[3] << 16) % FILE_SIZE;
		uint32		other = (data[4] | data[5] << 8) % (FILE_SIZE / 512) * 512;
		uint32		block = at / BLOCK * BLOCK;

		switch (data[0] % 5)
		{
			case 0:				/* a sector with old zeroes, or with another's content */
				memset(file + at / 512 * 512, data[6], 512);
				break;
			case 1:
				file[at] = (char) data[6];
				break;
			case 2:
				memmove(file + block, file + other / BLOCK * BLOCK, BLOCK);
				break;
			case 3:
				if (data[6] == 0)
					file_size = at;
				break;
			case 4:
				file[block + at % 160] = (char) data[6];
				{
					static uint64 aligned[BLOCK / sizeof(uint64)];

					memcpy(aligned, file + block, BLOCK);
					refresh_crc((SaJournalHeader *) aligned);
					memcpy(file + block, aligned, BLOCK);
				}
				forged = true;
				break;
		}
	}
	return forged;
}

static void
check_copy(const SaJournalCopy *copy, bool undamaged)
{
	static char page[BLOCK];
	Content		content;
	bool		whole;
	uint32		i = copy->key.block;

	if ((copy->offset == 0) != (i >= (uint32) copies_of(copy->sequence)))
		abort();
	if (copy->offset == 0)
	{
		/* of a page without a copy there is only what the header says */
		if (copy->key.relation != (uint32) (copy->sequence + i) % RELATIONS || copy->key.fork != (int32) i % 3 ||
			copy->sequence < REDO || copy->lsn != copy->sequence)
			abort();
		return;
	}
	if (sa_journal_read_copy(read_file, NULL, copy, page, &whole) != 0 || !whole)
	{
		if (undamaged)
			abort();
		return;
	}
	memcpy(&content, page, sizeof(content));
	if (memcmp(&content.key, &copy->key, sizeof(SaJournalKey)) != 0 ||
		content.sequence != copy->sequence || content.sequence < REDO ||
		sa_journal_page_lsn(page) != copy->lsn)
		abort();
}

/* What a forged header says of a copy may be anything; no memory but the page's may be written. */
static void
read_forged(const SaJournalCopy *copy)
{
	static char page[BLOCK];
	bool		whole;

	(void) sa_journal_read_copy(read_file, NULL, copy, page, &whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SaJournalSuper super;
	SaJournalScan scan;
	bool		found,
				forged;

	if (!made)
		make_pristine();
	made = true;
	memcpy(file, pristine, FILE_SIZE);
	file_size = FILE_SIZE;
	forged = do_damage(data, size);
	if (sa_journal_read_super(read_file, NULL, &super, &found) != 0 || !found)
		return 0;
	(void) sa_journal_scan(read_file, NULL, &super, REDO, &scan);
	for (size_t i = 0; i < scan.count; i++)
	{
		if (!forged)
			check_copy(&scan.copies[i], size < DAMAGE);
		else if (scan.copies[i].offset != 0)
			read_forged(&scan.copies[i]);
	}
	sa_journal_scan_free(&scan);
	return 0;
}
