-- Reads how a lease was ended here, if it was. Changes nothing.
-- Returns {'released'}; {'broken', reason}; {'unknown'}: it has no tombstone here.
-- Needs: leases

local tombstone = redis.call('GET', lease_tombstone)
if not tombstone then return { 'unknown' } end
return { how_ended(tombstone) }
