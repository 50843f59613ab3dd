SELECT json_build_object(
  'email', u.email, 'gender', u.gender, 'phone', u.phone, 'cell', u.cell, 'nat', u.nat,
  'name', json_build_object('title', u.title, 'first', u.first_name, 'last', u.last_name),
  'dob', json_build_object('date', u.born_at, 'age', u.age),
  'registered', json_build_object('date', u.registered_at, 'age', u.registered_age),
  'id', json_build_object('name', u.identity_name, 'value', u.identity_value),
  'location', json_build_object(
    'street', json_build_object('number', l.street_number, 'name', l.street_name),
    'city', l.city, 'state', l.state, 'country', l.country, 'postcode', l.postcode,
    'coordinates', json_build_object('latitude', l.latitude, 'longitude', l.longitude),
    'timezone', json_build_object('offset', l.utc_offset, 'description', l.timezone)),
  'login', json_build_object('uuid', g.uuid, 'username', g.username),
  'picture', json_build_object('large', p.large, 'medium', p.medium, 'thumbnail', p.thumbnail))::text
FROM users u
LEFT JOIN locations l ON l.user_id = u.id
LEFT JOIN logins g ON g.user_id = u.id
LEFT JOIN pictures p ON p.user_id = u.id
WHERE u.email = any($1)
