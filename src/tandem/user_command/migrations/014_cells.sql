-- additive: yes
-- Where ids name a cell, they go in steps of 10,000 from 10^12 on (`tandem migrate` with CELL, user_command/cell.py). The
-- log's partitions have room for 5 million of them, too.

-- Functions that run with the owner's rights look where the tables are, which need not be `public`, and last of all at
-- what a caller may have made for itself.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- As 010_log.sql has it, but for the size. A sequence that has given no id since it became a cell's goes on at its start.
CREATE OR REPLACE FUNCTION tandem_extend_log(highest_id bigint DEFAULT 0) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '2s' AS $$
DECLARE
    size  bigint;
    given bigint;
    first bigint;
    name  text;
BEGIN
    SELECT 5000000::bigint * CASE WHEN seqincrement = 10000 AND seqstart >= 1000000000000 THEN 10000 ELSE 1 END,
           greatest(highest_id, coalesce(pg_sequence_last_value(seqrelid), seqstart))
    INTO size, given FROM pg_sequence WHERE seqrelid = 'prm_user_id_seq'::regclass;
    FOREACH first IN ARRAY ARRAY[given / size * size, given / size * size + size] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM tandem_log_partition p WHERE first >= p.first_id AND first < p.end_id);
        LOCK TABLE ONLY prm_user_event IN SHARE UPDATE EXCLUSIVE MODE;
        CONTINUE WHEN EXISTS (SELECT FROM tandem_log_partition p WHERE first >= p.first_id AND first < p.end_id);
        name := 'prm_user_event_p' || first;
        EXECUTE format('CREATE TABLE %I (LIKE prm_user_event INCLUDING DEFAULTS)', name);
        EXECUTE format('ALTER TABLE prm_user_event ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                       name, first, first + size);
    END LOOP;
END $$;
