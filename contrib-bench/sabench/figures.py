"""From what one run left (counters, logs) to its figures, which reports are made of."""

from . import measure, sampler, statistics

LEAD = 2                    # seconds at the begin of a load's run that are not measured: its sessions are new then


def of_run(plan, summary, latency, tps, counters, points, drained, library):
    """All figures of one run.  A figure that this machine cannot give is None.

    Counters are of the whole run of the load, LEAD included, and so are the transactions they are divided
    by; TPS, seconds and latencies are of the measured seconds.

    summary: the load's report; latency: percentiles in ms; tps: per second (empty for a timed
    statement); counters: differences over the run; points: checkpoints within it; drained:
    counters until all was on disk and the seconds that took, or None; library: what smgr_atomic
    counted, or None.
    """
    number = max(summary['transactions'], 1)
    result = {**summary, **(statistics.steadiness(tps) if tps else {}), **latency}
    result.update({
        'wal_bytes': counters['wal_lsn'],
        'wal_per_transaction': counters['wal_lsn'] / number,
        'wal_record_bytes': counters['wal_bytes'],
        'records_per_transaction': counters['wal_records'] / number,
        'images': counters['wal_fpi'],
        'images_per_transaction': counters['wal_fpi'] / number})
    result.update(_checkpoints(points) if tps else {})
    result.update(_pages(points, counters, drained, library))
    result.update(_device(number, counters, drained))
    result.update(_amplification(result, drained) if plan.counts_pages() else {})
    return result


BUFFERS = ('buffers_checkpoint', 'buffers_bgwriter', 'buffers_backend')


def _amplification(result, drained):
    """Bytes that reached the device for each page the server wrote, WAL left out and included; only where
    all was on disk when they were counted."""
    pages = sum(result[name] or 0 for name in BUFFERS)
    written = drained.get('device_write_bytes') if drained else None
    if not pages or written is None:
        return dict.fromkeys(('bytes_per_page', 'data_bytes_per_page', 'wal_bytes_per_page'))
    return {'bytes_per_page': written / pages,
            'data_bytes_per_page': max(written - drained['wal_lsn'], 0) / pages,
            'wal_bytes_per_page': drained['wal_lsn'] / pages}


def processor(counters, machine, transactions):
    """Processor time per transaction in µs: of the server, and of all the machine did."""
    number = max(transactions, 1)
    return {'server_cpu_us': counters['server_cpu_s'] * 1e6 / number,
            'machine_cpu_us': machine['cpu_used_s'] * 1e6 / number}


def archive(result, found):
    """Size of the archive per transaction under gzip -1, from a sample of the WAL."""
    share = found and found['compressed_share']
    return {'archive_per_transaction': result['wal_per_transaction'] * share if share else None}


def extents(found):
    """Extents of the largest file and what a cold read of it brings, before and after."""
    before, after = found['before'], found['after']
    return {'extents_before': before and before['largest_extents'],
            'extents_after': after and after['largest_extents'],
            'read_before_mb_s': before and before['read_mb_s'],
            'read_after_mb_s': after and after['read_mb_s']}


def recovery(found):
    """How long the server took to come back."""
    if found is None:
        return {}
    done = found['transactions']
    return {'ready_s': found['ready_s'], 'redo_s': found['redo_s'],
            'redo_bytes': found['redo_bytes'],
            'redo_us': found['redo_s'] * 1e6 / done if done else None,
            'end_checkpoint_s': found['end_checkpoint_s'], 'repair_s': found.get('repair_s'),
            'repaired_pages': found.get('repaired_pages')}


def replica(found):
    """How far the standby fell behind."""
    if found is None:
        return {}
    return {name: found[name] for name in ('lag_most_bytes', 'lag_end_bytes', 'catch_up_s')}


def _pages(points, counters, drained, library):
    """Who wrote pages.  A checkpointer in a hurry hands in its counters only when it is done:
    without a drain they may be missing, and are None then."""
    result = {name: (drained or counters)[name] for name in BUFFERS}
    unfinished = any(not point['finished'] for point in points)
    if drained is None and unfinished and counters['buffers_checkpoint'] == 0:
        result = dict.fromkeys(BUFFERS)
    pages = library['pages'] if library else None
    result['library_pages'] = pages
    result['library_pooled'] = library['accepted'] if library else None
    result['library_us_per_page'] = library['write_time_ms'] * 1000 / pages if pages else None
    return result


def _checkpoints(points):
    """Seconds of the run in which a checkpoint was writing, and syncing (finished ones only)."""
    writing = sum(min(point['to'] - point['from'], point.get('write_s', float('inf')))
                  for point in points)
    return {'checkpoints_begun': sum(point['begun'] for point in points),
            'checkpoints_finished': sum(point['finished'] for point in points),
            'checkpoint_write_s': writing,
            'checkpoint_sync_s': sum(point.get('sync_s', 0) for point in points)}


def _device(number, counters, drained):
    names = ('device_write_bytes', 'device_writes', 'device_read_bytes', 'device_reads')
    result = {name: counters.get(name) for name in names}
    written = counters.get('device_write_bytes')
    result['device_bytes_per_transaction'] = None if written is None else written / number
    result['device_flushes'] = counters.get('device_flushes')
    result['drain_s'] = result['drained_bytes_per_transaction'] = None
    if drained is not None:
        result['drain_s'] = drained['seconds']
        result['drained_wal_per_transaction'] = drained['wal_lsn'] / number
        if written is not None:
            result['drained_bytes_per_transaction'] = drained['device_write_bytes'] / number
    return result


def per_second(plan, directory, rate, progress_tps, samples, launched, connecting):
    """Read pgbench's logs of a run.

    Returns (latencies in µs, one row per second, TPS per second, start as epoch), of the measured
    seconds: the last ones until pgbench's time is over, which it counts from before it connects
    (connecting: seconds of that).  With a sampled log the TPS come from pgbench's progress lines.
    """
    latencies, ends = measure.transactions(directory)
    start = launched
    if rate >= 1 and len(ends):
        start = min(end - latency for latency, end in zip(latencies, ends)) / 1e6 - connecting
    start += LEAD
    groups = measure.seconds(latencies, ends, int(start * 1e6), plan.duration)
    if rate >= 1:
        tps = [len(group) for group in groups]
    else:
        tps = [value for second, value in progress_tps if second > LEAD + 0.5][:plan.duration]
    rows = measure.second_rows(groups, tps)
    for name in ('write_bytes', 'writes', 'read_bytes', 'flushes', 'busy_ms'):
        values = sampler.per_second(samples, name, start, plan.duration)
        for row, value in zip(rows, values):
            row[f'device_{name}'] = value
    return [latency for group in groups for latency in group], rows, tps, start
