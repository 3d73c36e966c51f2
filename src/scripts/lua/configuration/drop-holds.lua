-- Frees names on a primary whose holds cannot be trusted: it may have missed a release or a later grant.
--   KEYS[i + 1]  hold i
-- Returns {1}.

for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
return { 1 }
