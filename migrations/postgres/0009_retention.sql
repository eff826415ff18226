-- What was deleted and is still kept, for those who remove what need not be kept any longer.
CREATE INDEX resource_dead ON resource (type, rkey) WHERE NOT live AND version > 0;
