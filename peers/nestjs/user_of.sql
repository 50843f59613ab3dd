-- Users by e-mail address, in the form that they came in.
SELECT json_build_object(
  'email', email, 'gender', gender, 'phone', phone, 'cell', cell, 'nat', nat,
  'name', json_build_object('title', "nameTitle", 'first', "nameFirst", 'last', "nameLast"),
  'dob', json_build_object('date', to_char("dobDate" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'age', "dobAge"),
  'registered', json_build_object('date', to_char("registeredDate" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'age', "registeredAge"),
  'id', json_build_object('name', "idName", 'value', "idValue"),
  'login', json_build_object('uuid', uuid, 'username', username),
  'picture', json_build_object('large', large, 'medium', medium, 'thumbnail', thumbnail),
  'location', json_build_object(
    'street', json_build_object('number', "streetNumber", 'name', "streetName"),
    'city', city, 'state', state, 'country', country, 'postcode', postcode,
    'coordinates', json_build_object('latitude', "coordinatesLatitude", 'longitude', "coordinatesLongitude"),
    'timezone', json_build_object('offset', "timezoneOffset", 'description', "timezoneDescription")
  )
)::text
FROM prm_user
JOIN prm_user_location AS location ON location.id = "locationId"
JOIN prm_user_login AS login ON login.id = "loginId"
JOIN prm_user_picture AS picture ON picture.id = "pictureId"
WHERE email = any($1)
